"""What the agent has seen and where: posed RGB-D keyframes, and what follows from their geometry without learning."""
