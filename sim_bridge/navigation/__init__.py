"""Where the agent can stand, how it moves, and how far it has to walk.

`free_space.py` defines what every backend answers (`FreeSpace`, `Geodesic`), and `open_free_space.free_space_of` opens
the free floor of a scene: one level (`flat/`), or several that stairs, ramps or steps connect (`layered/`).
"""
