"""Rendering: colour, depth and id images of a scene, its baked light, and the ray tree that acoustics also uses."""
