"""Numba kernels of the virtual-emitter engine. No fast-math, so results are the same bytes on every machine.

Shapes: N rays or emitters · I discrete paths · F faces · M materials · B octave bands · C channels of the receiver ·
S samples · P A elevation and azimuth grid of the receiver · G lateral groups of directions · L bins of the late field ·
Q table entries.
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
    faintest_N,
):
    """Move every ray to its hit, subtract what the surface absorbs, and reflect it specularly or scatter it.

    face_N, distance_N: each ray's hit, -1 for none · random_N3: uniform numbers in 0 to 1 · lift: metres by which new
    origins are moved off the face · longest: metres after which a ray ends · faintest_N: energy below which it ends.
    origin_N3, direction_N3, path_N and energy_NB are changed in place. Returns alive_N (bool), normal_N3 (the normals
    of the hit faces, on the side from which the rays came) and scattered_N (bool: left by Lambert's law).
    """
    count, bands = energy_NB.shape
    alive_N = np.zeros(count, dtype=np.bool_)
    normal_N3 = np.zeros((count, 3), dtype=np.float32)
    scattered_N = np.zeros(count, dtype=np.bool_)
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
        if strongest < faintest_N[n]:
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
            scattered_N[n] = True
            # Lambert's law: the squared sine of the angle from the normal is uniformly distributed.
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
        # Embree measures distances in multiples of the direction's length, which must stay 1 over hundreds of bounces.
        inverse = 1.0 / math.sqrt(ox * ox + oy * oy + oz * oz)
        direction_N3[n, 0] = ox * inverse
        direction_N3[n, 1] = oy * inverse
        direction_N3[n, 2] = oz * inverse
    return alive_N, normal_N3, scattered_N


@njit(cache=True, nogil=True)
def facing_emitters(position_N3, normal_N3, path_N, ear_3, longest):
    """The emitters that face the ear and whose total path to it is shorter than `longest` metres.

    Returns their indices, unit directions from the ear and distances (metres).
    """
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
    index_N, hidden_N, direction_N3, distance_N, normal_N3, path_N, amplitude_NB, near, samples_per_metre, air_QB
):
    """The arrivals from the visible emitters: arrival_N (samples), amplitude_NB, azimuth_N (radians), row_N.

    hidden_N: whether each of `index_N` is occluded · air_QB: factor of air absorption on pressure after 0, 1, 2 ...
    metres. A row is the elevation in steps of 10 degrees above -90. An emitter represents a patch rather than a point,
    so its inverse square law is softened within `near` metres.
    """
    count, bands = len(index_N), amplitude_NB.shape[1]
    visible = 0
    for k in range(count):
        if not hidden_N[k]:
            visible += 1
    arrival_N = np.empty(visible, dtype=np.float32)
    arriving_NB = np.empty((visible, bands), dtype=np.float32)
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
        gain = np.float32(math.sqrt(cosine / (distance * distance + np.float32(0.5) * near * near)))
        path = path_N[n] + distance
        arrival_N[at] = path * samples_per_metre
        metre = min(int(path + np.float32(0.5)), len(air_QB) - 1)
        for b in range(bands):
            arriving_NB[at, b] = gain * amplitude_NB[n, b] * air_QB[metre, b]
        azimuth_N[at] = math.atan2(x, -z)
        elevation = math.degrees(math.asin(min(max(y, np.float32(-1.0)), np.float32(1.0))))
        row_N[at] = math.floor((elevation + 90.0) / 10.0 + 0.5)
        at += 1
    return arrival_N, arriving_NB, azimuth_N, row_N


@njit(cache=True, nogil=True)
def deposit(
    early_CBS,
    energy_LGCB,
    arrival_N,
    amplitude_NB,
    azimuth_N,
    row_N,
    row_offset,
    yaw,
    fade_from,
    fade_to,
    bin_samples,
    gain_PACB,
    delay_PAC,
    group_PA,
    share_PA,
):
    """Add every arrival as an impulse to the early part and as energy to the bins of the late field.

    Impulses fade out between samples `fade_from` and `fade_to`, where the late field takes over. Energy is split
    linearly between the two nearest bins and between the two lateral groups on either side of the direction.
    """
    columns = gain_PACB.shape[1]
    channels, bands = gain_PACB.shape[2], gain_PACB.shape[3]
    bins = energy_LGCB.shape[0]
    per_radian = columns / (2.0 * math.pi)
    for n in range(len(arrival_N)):
        # A left turn by `yaw` moves every direction clockwise (to the right) relative to the head.
        column = math.floor((azimuth_N[n] + yaw) * per_radian + 0.5) % columns
        row = max(row_N[n] - row_offset, 0)
        arrival = arrival_N[n]
        if arrival < fade_to:
            weight = np.float32(1.0)
            if arrival > fade_from:
                weight = np.float32(math.cos(0.5 * math.pi * (arrival - fade_from) / (fade_to - fade_from)))
            for c in range(channels):
                at = int(arrival + delay_PAC[row, column, c] + 0.5)
                if 0 <= at < early_CBS.shape[2]:
                    for b in range(bands):
                        early_CBS[c, b, at] += weight * amplitude_NB[n, b] * gain_PACB[row, column, c, b]
        place = arrival / bin_samples - 0.5
        low = math.floor(place)
        upper = np.float32(place - low)
        group, share = group_PA[row, column], share_PA[row, column]
        for k in range(2):
            at = low + k
            if at < 0 or at >= bins:
                continue
            part = upper if k == 1 else np.float32(1.0) - upper
            for g in range(2):
                weight = part * (share if g == 1 else np.float32(1.0) - share)
                if weight == 0.0:
                    continue
                for c in range(channels):
                    for b in range(bands):
                        pressure = amplitude_NB[n, b] * gain_PACB[row, column, c, b]
                        energy_LGCB[at, group + g, c, b] += weight * pressure * pressure


@njit(cache=True, nogil=True)
def deposit_paths(
    shelf_CBS, flat_CS, arrival_I, azimuth_I, elevation_I, weight_IB, yaw, ir_PACS, delay_PAC, lag_QS, centre
):
    """Add discrete paths (direct sound, images, edges), each with the receiver's response for its direction.

    weight_IB: weights of the low passes, which go to one buffer of `shelf_CBS` each, then of the unfiltered impulse,
    which goes to `flat_CS` · lag_QS: fractional delays of 0 to 1 sample in rising order, plus `centre` samples each.
    """
    rows, columns, channels, taps = ir_PACS.shape
    shelves = weight_IB.shape[1] - 1
    steps, lag_taps = lag_QS.shape
    impulse_S = np.zeros(taps + lag_taps - 1)
    head_S = np.zeros(taps)
    for i in range(len(arrival_I)):
        column = (azimuth_I[i] + yaw) * columns / (2.0 * math.pi)
        left = math.floor(column)
        u = column - left
        row = min(max(rows - 1.0 - (90.0 - math.degrees(elevation_I[i])) / 10.0, 0.0), rows - 1.0)
        low = min(int(row), rows - 2)
        v = row - low
        a0, a1 = left % columns, (left + 1) % columns
        w00, w01, w10, w11 = (1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u
        for c in range(channels):
            delay = w00 * delay_PAC[low, a0, c] + w01 * delay_PAC[low, a1, c]
            delay += w10 * delay_PAC[low + 1, a0, c] + w11 * delay_PAC[low + 1, a1, c]
            for s in range(taps):
                value = w00 * ir_PACS[low, a0, c, s] + w01 * ir_PACS[low, a1, c, s]
                head_S[s] = value + w10 * ir_PACS[low + 1, a0, c, s] + w11 * ir_PACS[low + 1, a1, c, s]
            arrival = arrival_I[i] + delay
            whole = math.floor(arrival)
            step = int((arrival - whole) * (steps - 1) + 0.5)
            impulse_S[:] = 0.0
            for k in range(lag_taps):
                for s in range(taps):
                    impulse_S[k + s] += lag_QS[step, k] * head_S[s]
            first = whole - centre
            shelved = False
            for b in range(shelves):
                shelved = shelved or weight_IB[i, b] != 0.0
            for s in range(len(impulse_S)):
                at = first + s
                if 0 <= at < flat_CS.shape[1]:
                    flat_CS[c, at] += weight_IB[i, shelves] * impulse_S[s]
                if shelved and 0 <= at < shelf_CBS.shape[2]:
                    for b in range(shelves):
                        shelf_CBS[c, b, at] += weight_IB[i, b] * impulse_S[s]
