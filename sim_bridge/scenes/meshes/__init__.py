"""Meshes from files: GLB, OBJ and PLY, their up axis, surfaces and semantics, and export to GLB."""
