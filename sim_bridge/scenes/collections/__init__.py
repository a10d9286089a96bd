"""Collections of scanned scenes (Matterport3D, HM3D, Replica, Gibson): their files, configurations and splits."""
