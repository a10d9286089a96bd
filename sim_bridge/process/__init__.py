"""Supervised child processes, and the messages that they exchange with their parent."""
