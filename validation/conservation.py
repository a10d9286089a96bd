"""Two invariants: energy does not depend on the image order, and source and microphone may be exchanged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.catalogue import load_scene
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.shoebox import shoebox
from benchmarks.places import find_places
from validation.findings import Finding, Section, Verdict
from validation.listening import converged_octaves, ours
from validation.rooms import coupled_rooms
from validation.shoeboxes import RECEIVERS_83, SIZE, SOURCE_3

ENERGY_LIMIT = 0.5  # dB
RECIPROCITY_LIMIT = 1.0  # dB per octave band


def conservation_section(*, scene: str, quick: bool) -> Section:
    """Energy in rooms with image orders 0, 1 and 2, and responses with source and microphone exchanged."""
    section = Section(
        title="Energy and reciprocity",
        method=(
            "Exact mirror images replace energy that emitters would otherwise radiate, so the energy in a room must "
            "be the same with image orders 0, 1 and 2, whatever the scattering of its walls. In addition, no octave "
            "band may change when an omnidirectional source and microphone are exchanged. Both are measured as the "
            "mean energy of many draws. The energy is also averaged over sources and microphones in the whole room, "
            "up to its walls, because images interfere with each other. This is also why 125 Hz is shown without a "
            "limit: its wavelength is about the height of the room, so images change the power that a source near a "
            "hard wall radiates, as in real rooms. Octave bands have sharp edges. One approximation of the emitters "
            "is not symmetric: the last reflection before the microphone is always diffuse, except for images."
        ),
    )
    draws = 4 if quick else 20
    house = load_scene(scene)
    places = find_places(house, free_space_of(house), listeners=3)
    anywhere = _random_places(6 if quick else 24)
    for name, room, points in (
        ("shoebox, scattering 0.1", shoebox(SIZE, 0.2, 0.1), anywhere),
        ("shoebox, scattering 0.5", shoebox(SIZE, 0.2, 0.5), anywhere),
        ("coupled rooms, scattering 0.5", coupled_rooms(SIZE, 0.2, 0.5, wall_x=0.3), anywhere),
    ):
        sources = points[: 3 if quick else 8]
        energies = [_energy_everywhere(room, sources, points, quick=quick, image_order=order) for order in (0, 1, 2)]
        change_OB = 10.0 * np.log10(np.array(energies[1:]) / energies[0])
        section.findings.append(
            _bands(f"energy with image orders 1 and 2 relative to 0, {name}", change_OB, ENERGY_LIMIT, 250.0)
        )
    coupled = coupled_rooms((8.0, 3.0, 5.0), 0.1, 0.5)
    near, far = places.same_room[0].ears_3, places.two_rooms_away[0].ears_3
    for name, room, one_3, other_3 in (
        ("shoebox, scattering 0.5", shoebox(SIZE, 0.2, 0.5), SOURCE_3, RECEIVERS_83[0]),
        ("shoebox, scattering 0.1", shoebox(SIZE, 0.2, 0.1), SOURCE_3, RECEIVERS_83[2]),
        ("coupled rooms", coupled, np.array([2.5, 1.5, -1.2]), np.array([-2.0, 1.5, -1.5])),
        (f"{scene}, same room", house, places.source_3, near),
        (f"{scene}, two rooms away", house, places.source_3, far),
    ):
        forward_B = _energy(room, one_3, [other_3], draws, quick=quick)
        exchanged_B = _energy(room, other_3, [one_3], draws, quick=quick)
        change_B = 10.0 * np.log10(forward_B / exchanged_B)
        section.findings.append(_bands(f"source and microphone exchanged, {name}", change_B, RECIPROCITY_LIMIT))
    return section


def _random_places(count: int) -> list[np.ndarray]:
    """Random places in the whole shoebox, up to its walls."""
    low_3 = np.array([-SIZE[0] / 2, 0.0, -SIZE[2] / 2])
    rng = keyed_rng("validation", "receivers")
    return list(rng.uniform(low_3 + 0.02, low_3 + SIZE - 0.02, size=(count, 3)))


def _energy_everywhere(
    scene: Scene, sources: Sequence[np.ndarray], points: Sequence[np.ndarray], *, quick: bool, image_order: int
) -> np.ndarray:
    """Energy in octave bands (B,), summed over sources; each is received at all points at least 0.7 m away."""
    return np.sum(
        [
            _energy(
                scene,
                source_3,
                [point_3 for point_3 in points if np.linalg.norm(point_3 - source_3) > 0.7],
                1 if quick else 2,
                quick=quick,
                near_metres=0.1,  # emitters on a wall may be this close to a microphone near it
                image_order=image_order,
            )
            for source_3 in sources
        ],
        axis=0,
    )


def _energy(
    scene: Scene, source_3: np.ndarray, receivers: Sequence[np.ndarray], draws: int, *, quick: bool, **options: object
) -> np.ndarray:
    """Energy of converged responses in octave bands (B,), averaged over receivers."""
    make = ours(scene, emitters=5_000 if quick else 20_000, **options)
    return converged_octaves(make, source_3, receivers, draws).mean(axis=0)


def _bands(what: str, change: np.ndarray, limit: float, lowest: float = OCTAVE_BANDS[0]) -> Finding:
    """A finding for changes (dB) in octave bands (..., B), which must be within `limit` from `lowest` (Hz) up."""
    worst = float(np.abs(change[..., np.array(OCTAVE_BANDS) >= lowest]).max())
    values = " / ".join(" ".join(f"{value:+.2f}" for value in row) for row in np.atleast_2d(change))
    return Finding(
        what=what,
        expected=f"within {limit:g} dB in octave bands from {lowest:g} Hz",
        measured=f"{values} dB",
        verdict=Verdict.HOLDS if worst <= limit else Verdict.FAILS,
    )
