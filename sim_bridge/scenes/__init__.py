"""Scenes: meshes with textures, named materials and lights."""
