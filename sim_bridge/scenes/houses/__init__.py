"""Procedural houses: floor plans, walls, furniture, textures and lights, generated from a seed."""
