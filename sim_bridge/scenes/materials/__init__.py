"""Acoustic materials: the table of coefficients, and the rules that assign a material to a surface."""
