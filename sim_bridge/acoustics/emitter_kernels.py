"""The inner loops of the virtual-emitter engine, compiled once by Numba. No fast-math: equal bytes everywhere.

Shapes: N rays or emitters · F faces · M materials · B octave bands · P A elevation and azimuth grid of the head.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def bounce(
    origin_N3,
    direction_N3,
    path_N,
    energy_NB,
    face_N,
    distance_N,
    random_N3,
    normal_F3,
    surface_F,
    reflection_MB,
    scattering_M,
    lift,
    longest,
    faintest,
):
    """Move every ray to its hit, take what the surface absorbs, and send it on, mirrored or scattered.

    All but the random numbers and tables is changed in place. Returns alive_N (bool) and normal_N3: the hit
    faces' normals, turned towards the side the rays came from.
    """
    count, bands = energy_NB.shape
    alive_N = np.zeros(count, dtype=np.bool_)
    normal_N3 = np.zeros((count, 3), dtype=np.float32)
    for n in range(count):
        face = face_N[n]
        if face < 0:
            continue
        distance = distance_N[n]
        path_N[n] += distance
        if path_N[n] >= longest:
            continue
        surface = surface_F[face]
        strongest = np.float32(0.0)
        for b in range(bands):
            energy_NB[n, b] *= reflection_MB[surface, b]
            strongest = max(strongest, energy_NB[n, b])
        if strongest < faintest:
            continue
        alive_N[n] = True
        nx, ny, nz = normal_F3[face, 0], normal_F3[face, 1], normal_F3[face, 2]
        dx, dy, dz = direction_N3[n, 0], direction_N3[n, 1], direction_N3[n, 2]
        along = nx * dx + ny * dy + nz * dz
        if along > 0.0:
            nx, ny, nz, along = -nx, -ny, -nz, -along
        normal_N3[n, 0], normal_N3[n, 1], normal_N3[n, 2] = nx, ny, nz
        origin_N3[n, 0] += distance * dx + lift * nx
        origin_N3[n, 1] += distance * dy + lift * ny
        origin_N3[n, 2] += distance * dz + lift * nz
        if random_N3[n, 0] < scattering_M[surface]:
            # Lambert: the square of the sine of the angle from the normal is uniform.
            sine = math.sqrt(random_N3[n, 1])
            cosine = math.sqrt(1.0 - random_N3[n, 1])
            turn = 2.0 * math.pi * random_N3[n, 2]
            if abs(nx) > 0.5:
                tx, ty, tz = ny, -nx, np.float32(0.0)
            else:
                tx, ty, tz = np.float32(0.0), nz, -ny
            inverse = 1.0 / math.sqrt(tx * tx + ty * ty + tz * tz)
            tx, ty, tz = tx * inverse, ty * inverse, tz * inverse
            bx, by, bz = ny * tz - nz * ty, nz * tx - nx * tz, nx * ty - ny * tx
            u, v = sine * math.cos(turn), sine * math.sin(turn)
            ox = u * tx + v * bx + cosine * nx
            oy = u * ty + v * by + cosine * ny
            oz = u * tz + v * bz + cosine * nz
        else:
            ox = dx - 2.0 * along * nx
            oy = dy - 2.0 * along * ny
            oz = dz - 2.0 * along * nz
        # Embree measures distance in lengths of the direction, so it must stay a unit vector for hundreds of bounces.
        inverse = 1.0 / math.sqrt(ox * ox + oy * oy + oz * oz)
        direction_N3[n, 0] = ox * inverse
        direction_N3[n, 1] = oy * inverse
        direction_N3[n, 2] = oz * inverse
    return alive_N, normal_N3


@njit(cache=True, nogil=True)
def facing(position_N3, normal_N3, path_N, ear_3, longest):
    """The emitters that look towards the ear in time: their index, unit direction from the ear, distance."""
    count = len(path_N)
    index_N = np.empty(count, dtype=np.int32)
    direction_N3 = np.empty((count, 3), dtype=np.float32)
    distance_N = np.empty(count, dtype=np.float32)
    kept = 0
    for n in range(count):
        x = position_N3[n, 0] - ear_3[0]
        y = position_N3[n, 1] - ear_3[1]
        z = position_N3[n, 2] - ear_3[2]
        if x * normal_N3[n, 0] + y * normal_N3[n, 1] + z * normal_N3[n, 2] >= 0.0:
            continue
        distance = math.sqrt(x * x + y * y + z * z)
        if path_N[n] + distance >= longest or distance < 1e-6:
            continue
        index_N[kept] = n
        direction_N3[kept, 0] = x / distance
        direction_N3[kept, 1] = y / distance
        direction_N3[kept, 2] = z / distance
        distance_N[kept] = distance
        kept += 1
    return index_N[:kept], direction_N3[:kept], distance_N[:kept]


@njit(cache=True, nogil=True)
def connect(
    index_N,
    hidden_N,
    direction_N3,
    distance_N,
    normal_N3,
    path_N,
    amplitude_NB,
    near,
    samples_per_metre,
    rows,
):
    """The visible emitters as they arrive: arrival_N (samples), amplitude_NB, azimuth_N, elevation row_N.

    `rows` elevations of the head, 10 degrees apart from -40. An emitter stands for a patch, not a point, so its
    inverse square law is softened within `near` metres.
    """
    count, bands = len(index_N), amplitude_NB.shape[1]
    visible = 0
    for k in range(count):
        if not hidden_N[k]:
            visible += 1
    arrival_N = np.empty(visible, dtype=np.float32)
    heard_NB = np.empty((visible, bands), dtype=np.float32)
    azimuth_N = np.empty(visible, dtype=np.float32)
    row_N = np.empty(visible, dtype=np.int32)
    at = 0
    for k in range(count):
        if hidden_N[k]:
            continue
        n = index_N[k]
        x, y, z = direction_N3[k, 0], direction_N3[k, 1], direction_N3[k, 2]
        distance = distance_N[k]
        cosine = -(x * normal_N3[n, 0] + y * normal_N3[n, 1] + z * normal_N3[n, 2])
        gain = math.sqrt(cosine / (distance * distance + 0.5 * near * near))
        arrival_N[at] = (path_N[n] + distance) * samples_per_metre
        for b in range(bands):
            heard_NB[at, b] = gain * amplitude_NB[n, b]
        azimuth_N[at] = math.atan2(x, -z)
        elevation = math.degrees(math.asin(min(max(y, np.float32(-1.0)), np.float32(1.0))))
        row_N[at] = min(max(math.floor((elevation + 40.0) / 10.0 + 0.5), 0), rows - 1)
        at += 1
    return arrival_N, heard_NB, azimuth_N, row_N


@njit(cache=True, nogil=True)
def deposit(out_EBS, samples, arrival_N, amplitude_NB, azimuth_N, row_N, yaw, gain_PAEB, delay_PAE):
    """Add every arrival to both ears' bands, as the head at `yaw` (radians) receives its direction."""
    columns = gain_PAEB.shape[1]
    bands = amplitude_NB.shape[1]
    per_radian = columns / (2.0 * math.pi)
    for n in range(len(arrival_N)):
        # Turning left by yaw moves everything clockwise (to the right) around the head.
        column = math.floor((azimuth_N[n] + yaw) * per_radian + 0.5) % columns
        row = row_N[n]
        for ear in range(2):
            at = int(arrival_N[n] + delay_PAE[row, column, ear] + 0.5)
            if at < 0 or at >= samples:
                continue
            for b in range(bands):
                out_EBS[ear, b, at] += amplitude_NB[n, b] * gain_PAEB[row, column, ear, b]


@njit(cache=True, nogil=True)
def deposit_omni(out_BS, samples, arrival_N, amplitude_NB):
    """Add every arrival to the bands of an omnidirectional microphone."""
    for n in range(len(arrival_N)):
        at = int(arrival_N[n] + 0.5)
        if at < samples:
            for b in range(amplitude_NB.shape[1]):
                out_BS[b, at] += amplitude_NB[n, b]
