"""Where an agent fits, how it moves, and how far it has to walk."""
