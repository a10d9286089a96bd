"""The audio-visual navigation task: episodes, the Gymnasium environment, the expert, and episode files."""
