"""AVW in habitat-lab: importing this package registers the simulator `AVW-v0`, its sound, its episodes and its configs.

Import it before `habitat`: some installations can only be imported after this package has prepared the process.
"""

from avw.sim_bridge.task.habitat_lab.importing import import_habitat

import_habitat()

from avw.sim_bridge.task.habitat_lab import configs, episodes, simulator  # noqa: E402

__all__ = ["configs", "episodes", "simulator"]
