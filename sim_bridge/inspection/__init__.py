"""Inspection of scenes: measurements of a mesh, and findings about what makes it unsuitable for simulation."""
