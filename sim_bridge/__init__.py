"""The simulator bridge: from a scene, a pose and a sound source to RGB, depth and binaural audio."""

from avw.sim_bridge.process.kernel_cache_place import choose_kernel_cache

choose_kernel_cache()  # before any module with kernels is imported
