"""Habitat-Sim, Habitat-Lab and SoundSpaces behind our Simulator protocol."""
