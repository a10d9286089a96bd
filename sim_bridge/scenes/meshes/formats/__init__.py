"""Readers of the mesh formats: glTF, OBJ and PLY, as their standards say."""
