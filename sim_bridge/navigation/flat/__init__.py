"""Free floor on one level: a clearance for every node of a grid over the floor plan.

Why flat floors have their own kernels: a layered grid with one layer gives the same walks, but it is slower and its
results differ in the last bits. Measured on one CPU core with three generated houses (47 to 111 m²): the distances to
one goal take 82 to 299 ms instead of 26 to 87 ms, one distance 10 to 19 µs instead of 5 to 7 µs; 71 to 89 % of the
distances and 0.4 % of the moves differ, by less than 1e-13 m. A dataset would no longer be reproduced byte for byte.
"""
