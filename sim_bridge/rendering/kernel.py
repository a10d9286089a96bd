"""Numba kernels that render one image per call: tiles of 4 x 4 pixels are traced by Embree as packets, then shaded.

The arithmetic of a tile runs over its sixteen lanes in scratch rows, which the compiler vectorises; only textures and
light samples are read pixel by pixel. All kernels are in this one file, because Numba's cache only detects changes in
the file of the compiled function itself.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from avw.sim_bridge.rendering.embree import (
    DIRECTION,
    FACE,
    FAR,
    LANES,
    NEVER,
    NORMAL,
    PACKET_WORDS,
    U,
    V,
    aligned_words,
    rtc_intersect_16,
    set_ray,
)
from avw.sim_bridge.rendering.shading import DISPLAY_SCALE, DIVISIONS, GLOW, LIGHT, SIDE, SURFACE, TEXELS

BACKGROUND = (0.38, 0.55, 0.74)  # linear RGB, before the tone curve, of rays that hit nothing
TILE = 4

# Scratch rows of a tile, sixteen lanes each: first the gathered inputs, then the computed values.
_UV, _GRADIENT, _RAY, _FAR, _GLOW = 0, 6 * LANES, 12 * LANES, 20 * LANES, 21 * LANES
_TU, _TV, _STEP_U, _STEP_V, _FOOTPRINT = (LANES * row for row in range(22, 27))
_WP, _WQ, _WR = (LANES * row for row in range(27, 30))
_FACE, _SIDE, _TAPS, _P, _Q, _R, _N, _FIRST = (LANES * row for row in range(30, 38))
_RED, _GREEN, _BLUE, _SHARE = (LANES * row for row in range(38, 42))
_WEIGHT_A, _WEIGHT_B, _WEIGHT_C, _WEIGHT_D = (LANES * row for row in range(42, 46))
_TEXEL_A, _TEXEL_B, _TEXEL_C, _TEXEL_D = (LANES * row for row in range(46, 50))
_SAMPLES = 50 * LANES  # nine rows: red, green and blue of three light samples
_SCRATCH_WORDS = 59 * LANES
_CODE = np.float32(1.0 / 255.0**2)  # texels store 255 times the square root of linear values
_FOUR_THIRDS = -1431655764  # times 3 is 4 modulo 2^32, so a product with it is 4/3 of a multiple of 3


@njit(cache=True, nogil=True, error_model="numpy")
def render_tiles(query, place, centre, sampled, fine, paint, rgb_HWC, depth_HW, face_HW):  # pragma: no cover - compiled
    """Fill rgb_HWC, depth_HW and face_HW.

    query: addresses of the tree and of Embree's arguments · place: origin_3, axes_33, whether rays are parallel
    centre: ray tables of the pixel centres · sampled: ray tables of `fine` x `fine` rays per pixel · fine: 0 leaves
    rgb_HWC unfilled · paint: `ShadingTables.arrays`, anisotropy, display table
    """
    height, width = depth_HW.shape
    packet, in_use = aligned_words(PACKET_WORDS), aligned_words(LANES).view(np.int32)
    s, sums = aligned_words(_SCRATCH_WORDS), aligned_words(3 * LANES)
    packet_i, si = packet.view(np.int32), s.view(np.int32)
    look, anisotropy, display = paint
    face_F16, bits_F16, surface_K2, glow_K, texel_N, light_M = look
    origin_3, axes_33, parallel = place
    column_W4, row_H4 = centre
    fine_column_W4, fine_row_H4 = sampled
    tree, arguments = query
    scale = DISPLAY_SCALE / np.float32(max(fine * fine, 1))
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            if fine != 1:
                _trace(
                    tree, arguments, origin_3, axes_33, parallel, column_W4, row_H4,
                    1, 0, 0, top, left, height, width, packet, packet_i, in_use,
                )  # fmt: skip
                _store(top, left, packet, packet_i, in_use, depth_HW, face_HW)
            sums[:] = np.float32(0.0)
            for j in range(fine):
                for i in range(fine):
                    _trace(
                        tree, arguments, origin_3, axes_33, parallel, fine_column_W4, fine_row_H4,
                        fine, i, j, top, left, height, width, packet, packet_i, in_use,
                    )  # fmt: skip
                    _gather(
                        fine_column_W4, fine_row_H4, fine, i, j, top, left, parallel, packet, packet_i, in_use,
                        face_F16, bits_F16, surface_K2, glow_K, s, si,
                    )  # fmt: skip
                    _footprints(axes_33, packet, np.float32(max(anisotropy, 1)), s, si)
                    _light_cells(packet, s, si)
                    _shade(anisotropy, texel_N, light_M, s, si, sums)
            if fine == 1:
                _store(top, left, packet, packet_i, in_use, depth_HW, face_HW)
            for k in range(LANES):
                if in_use[k] != 0:
                    for c in range(3):
                        step = int(sums[LANES * c + k] * scale + np.float32(0.5))
                        step = max(min(step, len(display) - 1), 0)
                        rgb_HWC[top + k // TILE, left + k % TILE, c] = display[step]


@njit(cache=True, nogil=True, error_model="numpy")
def _trace(
    tree, arguments, origin_3, axes_33, parallel, column_W4, row_H4,
    fine, i, j, top, left, height, width, packet, packet_i, in_use,
):  # fmt: skip # pragma: no cover - compiled
    """Trace the rays of subpixel (i, j) of a tile; lanes outside the image are unused."""
    for k in range(LANES):
        y, x = top + k // TILE, left + k % TILE
        in_use[k] = -1 if y < height and x < width else 0
        if in_use[k] == 0:
            continue
        x, y = x * fine + i, y * fine + j
        right, forward, up = row_H4[y, 0] * column_W4[x, 0], row_H4[y, 0] * column_W4[x, 1], row_H4[y, 1]
        dx = right * axes_33[0, 0] + up * axes_33[1, 0] + forward * axes_33[2, 0]
        dy = right * axes_33[0, 1] + up * axes_33[1, 1] + forward * axes_33[2, 1]
        dz = right * axes_33[0, 2] + up * axes_33[1, 2] + forward * axes_33[2, 2]
        ox, oy, oz = origin_3[0], origin_3[1], origin_3[2]
        if parallel:
            ox, oy, oz = ox + dx, oy + dy, oz + dz
            dx, dy, dz = axes_33[2, 0], axes_33[2, 1], axes_33[2, 2]
        set_ray(packet, packet_i, k, ox, oy, oz, dx, dy, dz, np.float32(NEVER))
    rtc_intersect_16(in_use.ctypes.data, tree, packet.ctypes.data, arguments)


@njit(cache=True, nogil=True, error_model="numpy")
def _store(top, left, packet, packet_i, in_use, depth_HW, face_HW):  # pragma: no cover - compiled
    """Write the depths and faces of a tile to the images."""
    for k in range(LANES):
        if in_use[k] != 0:
            face = packet_i[FACE + k]
            face_HW[top + k // TILE, left + k % TILE] = face
            depth_HW[top + k // TILE, left + k % TILE] = packet[FAR + k] if face >= 0 else np.float32(0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _shade(anisotropy, texel_N, light_M, s, si, sums):  # pragma: no cover - compiled
    """Add the linear colours of the tile to `sums` (red lanes, green lanes, blue lanes)."""
    one, zero = np.float32(1.0), np.float32(0.0)
    for n in range(_RED, _BLUE + LANES):
        s[n] = zero
    if anisotropy == 0:
        _nearest(texel_N, s, si)
    else:
        most = 1
        for k in range(LANES):
            most = max(most, si[_TAPS + k])
        for tap in range(most):
            # The reads of a lane are spaced evenly along its footprint, around the middle.
            for k in range(LANES):
                taps = np.float32(si[_TAPS + k])
                s[_SHARE + k] = one / taps if tap < si[_TAPS + k] else zero
                shift = np.float32(0.5) - np.float32(0.5) * taps if tap == 0 else one
                s[_TU + k] += shift * s[_STEP_U + k]
                s[_TV + k] += shift * s[_STEP_V + k]
            _trilinear(texel_N, s, si)
    for k in range(LANES):
        p, q, r = 3 * si[_P + k], 3 * si[_Q + k], 3 * si[_R + k]
        for c in range(3):
            s[_SAMPLES + 3 * LANES * c + k] = light_M[p + c]
            s[_SAMPLES + 3 * LANES * c + LANES + k] = light_M[q + c]
            s[_SAMPLES + 3 * LANES * c + 2 * LANES + k] = light_M[r + c]
    for c in range(3):
        colour, samples, sky = _RED + LANES * c, _SAMPLES + 3 * LANES * c, np.float32(BACKGROUND[c])
        for k in range(LANES):
            light = s[_WP + k] * s[samples + k] + s[_WQ + k] * s[samples + LANES + k]
            light += s[_WR + k] * s[samples + 2 * LANES + k]
            glow = s[_GLOW + k]
            value = s[colour + k] * _CODE * (np.float32(GLOW) * glow + (one - glow) * light)
            sums[LANES * c + k] += value if si[_FACE + k] >= 0 else sky


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(
    column_W4, row_H4, fine, i, j, top, left, parallel, packet, packet_i, in_use,
    face_F16, bits_F16, surface_K2, glow_K, s, si,
):  # fmt: skip # pragma: no cover - compiled
    """Copy the data of the tile's faces and rays to rows of lanes; lanes without a hit use the data of face 0."""
    for k in range(LANES):
        seen = in_use[k] != 0 and packet_i[FACE + k] >= 0
        f = packet_i[FACE + k] if seen else 0
        si[_FACE + k] = f if seen else -1
        s[_FAR + k] = np.float32(1.0) if parallel or not seen else packet[FAR + k]
        for c in range(12):
            s[_UV + LANES * c + k] = face_F16[f, c]
        x, y = (left + k % TILE) * fine + i, (top + k // TILE) * fine + j
        x, y = min(x, len(column_W4) - 1), min(y, len(row_H4) - 1)
        for c in range(4):
            s[_RAY + LANES * c + k] = column_W4[x, c]
            s[_RAY + LANES * (4 + c) + k] = row_H4[y, c]
        surface = bits_F16[f, SURFACE]
        si[_FIRST + k], si[_SIDE + k] = surface_K2[surface, TEXELS], surface_K2[surface, SIDE]
        s[_GLOW + k] = glow_K[surface]
        si[_P + k], si[_N + k] = bits_F16[f, LIGHT], bits_F16[f, DIVISIONS]


@njit(cache=True, nogil=True, error_model="numpy")
def _footprints(a, packet, most, s, si):  # pragma: no cover - compiled
    """Texture coordinates, and the footprint of a pixel: a parallelogram that is read `taps` times along its length.

    The footprint follows from the changes of the ray to the next column and row, intersected with the plane of the
    face and converted to texels (H. Igehy, "Tracing ray differentials", SIGGRAPH 1999).
    """
    one = np.float32(1.0)
    rx, ry, rz, ux, uy, uz = a[0, 0], a[0, 1], a[0, 2], a[1, 0], a[1, 1], a[1, 2]
    fx, fy, fz = a[2, 0], a[2, 1], a[2, 2]
    for k in range(LANES):
        bu, bv = packet[U + k], packet[V + k]
        bw = one - bu - bv
        s[_TU + k] = bw * s[_UV + k] + bu * s[_UV + 2 * LANES + k] + bv * s[_UV + 4 * LANES + k]
        s[_TV + k] = bw * s[_UV + LANES + k] + bu * s[_UV + 3 * LANES + k] + bv * s[_UV + 5 * LANES + k]
        t = s[_FAR + k]
        r0 = t * s[_RAY + 4 * LANES + k]
        r2 = t * s[_RAY + 6 * LANES + k]
        to_right, to_front = r0 * s[_RAY + 2 * LANES + k], r0 * s[_RAY + 3 * LANES + k]
        below_right, below_front = r2 * s[_RAY + k], r2 * s[_RAY + LANES + k]
        below_up = t * s[_RAY + 7 * LANES + k]
        xx, xy, xz = to_right * rx + to_front * fx, to_right * ry + to_front * fy, to_right * rz + to_front * fz
        yx = below_right * rx + below_up * ux + below_front * fx
        yy = below_right * ry + below_up * uy + below_front * fy
        yz = below_right * rz + below_up * uz + below_front * fz
        nx, ny, nz = packet[NORMAL + k], packet[NORMAL + LANES + k], packet[NORMAL + 2 * LANES + k]
        dx, dy, dz = packet[DIRECTION + k], packet[DIRECTION + LANES + k], packet[DIRECTION + 2 * LANES + k]
        facing = nx * dx + ny * dy + nz * dz
        inverse = one / (facing if facing != np.float32(0.0) else one)
        across, down = (nx * xx + ny * xy + nz * xz) * inverse, (nx * yx + ny * yy + nz * yz) * inverse
        xx, xy, xz = xx - across * dx, xy - across * dy, xz - across * dz
        yx, yy, yz = yx - down * dx, yy - down * dy, yz - down * dz
        gx, gy, gz = s[_GRADIENT + k], s[_GRADIENT + LANES + k], s[_GRADIENT + 2 * LANES + k]
        hx, hy, hz = s[_GRADIENT + 3 * LANES + k], s[_GRADIENT + 4 * LANES + k], s[_GRADIENT + 5 * LANES + k]
        ul, vl = gx * xx + gy * xy + gz * xz, hx * xx + hy * xy + hz * xz
        us, vs = gx * yx + gy * yy + gz * yz, hx * yx + hy * yy + hz * yz
        long2, short2 = ul * ul + vl * vl, us * us + vs * vs
        swap = short2 > long2
        ul, vl = us if swap else ul, vs if swap else vl
        longer = np.sqrt(short2 if swap else long2)
        shorter = np.sqrt(long2 if swap else short2)
        least = shorter if shorter > one else one
        taps = np.floor(longer / (np.float32(1.5) * least)) + one
        taps = taps if taps < most else most
        footprint = longer / taps
        footprint = footprint if footprint > shorter else shorter
        footprint = footprint if footprint > one else one
        s[_FOOTPRINT + k] = footprint if footprint < np.float32(si[_SIDE + k]) else np.float32(si[_SIDE + k])
        si[_TAPS + k] = np.int32(taps)
        share = one / (taps * np.float32(si[_SIDE + k]))
        s[_STEP_U + k], s[_STEP_V + k] = ul * share, vl * share


@njit(cache=True, nogil=True, error_model="numpy")
def _light_cells(packet, s, si):  # pragma: no cover - compiled
    """The three light samples around the point of each lane in the triangular grid of its face, and their weights."""
    one = np.float32(1.0)
    for k in range(LANES):
        n, first = si[_N + k], si[_P + k]
        gu, gv = packet[U + k] * np.float32(n), packet[V + k] * np.float32(n)
        i, j = int(gu), int(gv)
        i = i if i < n else n - 1
        i = i if i > 0 else 0
        j = j if j < n - i else n - 1 - i
        j = j if j > 0 else 0
        gu, gv = gu - np.float32(i), gv - np.float32(j)
        row = first + j * (n + 1) - ((j * (j - 1)) >> 1)
        above = row + n + 1 - j
        upper = (gu + gv > one) & (i + j + 2 <= n)
        si[_P + k] = above + i + 1 if upper else row + i
        si[_Q + k] = above + i if upper else row + i + 1
        si[_R + k] = row + i + 1 if upper else above + i
        s[_WP + k] = gu + gv - one if upper else one - gu - gv
        s[_WQ + k] = one - gu if upper else gu
        s[_WR + k] = one - gv if upper else gv


@njit(cache=True, nogil=True, error_model="numpy")
def _trilinear(texel_N, s, si):  # pragma: no cover - compiled
    """Add one read per lane, blended between the two pyramid levels around its footprint (log2 is piecewise linear)."""
    one, half = np.float32(1.0), np.float32(0.5)
    for step in range(2):
        for k in range(LANES):
            side = si[_SIDE + k]
            # The exponent of a footprint in [1, side] is the level, the mantissa the fraction to the next level.
            level = np.int32(side >> ((si[_FOOTPRINT + k] >> 23) - 127))
            above = np.int32(level >> 1)
            blend = s[_FOOTPRINT + k] * (np.float32(level) / np.float32(side)) - one
            blend = blend if above > 0 else np.float32(0.0)
            weight = s[_SHARE + k] * (blend if step == 1 else one - blend)
            level = level if step == 0 else (above if above > 0 else np.int32(1))
            # The levels before it have (side^2 - level^2) * 4 / 3 texels: a sum of powers of four.
            base = np.int32(si[_FIRST + k] + np.int32(np.int32(side * side - level * level) * _FOUR_THIRDS))
            tu, tv = s[_TU + k], s[_TV + k]
            x = (tu - np.floor(tu)) * np.float32(level) - half
            y = (tv - np.floor(tv)) * np.float32(level) - half
            xf, yf = np.floor(x), np.floor(y)
            fx, fy = x - xf, y - yf
            mask = np.int32(level - 1)
            x0, y0 = np.int32(xf), np.int32(yf)
            left, right = np.int32(x0 & mask), np.int32((x0 + 1) & mask)
            upper, lower = np.int32(base + (y0 & mask) * level), np.int32(base + ((y0 + 1) & mask) * level)
            si[_TEXEL_A + k], si[_TEXEL_B + k] = np.int32(upper + left), np.int32(upper + right)
            si[_TEXEL_C + k], si[_TEXEL_D + k] = np.int32(lower + left), np.int32(lower + right)
            s[_WEIGHT_A + k], s[_WEIGHT_B + k] = (one - fx) * (one - fy) * weight, fx * (one - fy) * weight
            s[_WEIGHT_C + k], s[_WEIGHT_D + k] = (one - fx) * fy * weight, fx * fy * weight
        for n in range(_TEXEL_A, _TEXEL_D + LANES):
            si[n] = texel_N[si[n]]
        for k in range(LANES):
            a, b, c, d = si[_TEXEL_A + k], si[_TEXEL_B + k], si[_TEXEL_C + k], si[_TEXEL_D + k]
            wa, wb, wc, wd = s[_WEIGHT_A + k], s[_WEIGHT_B + k], s[_WEIGHT_C + k], s[_WEIGHT_D + k]
            s[_RED + k] += wa * _code(a, 0) + wb * _code(b, 0) + wc * _code(c, 0) + wd * _code(d, 0)
            s[_GREEN + k] += wa * _code(a, 8) + wb * _code(b, 8) + wc * _code(c, 8) + wd * _code(d, 8)
            s[_BLUE + k] += wa * _code(a, 16) + wb * _code(b, 16) + wc * _code(c, 16) + wd * _code(d, 16)


@njit(cache=True, nogil=True, error_model="numpy")
def _nearest(texel_N, s, si):  # pragma: no cover - compiled
    """The nearest texel of the largest level: the unfiltered reference for `_trilinear`."""
    for k in range(LANES):
        side, tu, tv = si[_SIDE + k], s[_TU + k], s[_TV + k]
        x, y = np.int32((tu - np.floor(tu)) * np.float32(side)), np.int32((tv - np.floor(tv)) * np.float32(side))
        texel = texel_N[si[_FIRST + k] + (y & (side - 1)) * side + (x & (side - 1))]
        s[_RED + k], s[_GREEN + k], s[_BLUE + k] = _code(texel, 0), _code(texel, 8), _code(texel, 16)


@njit(cache=True, nogil=True, error_model="numpy")
def _code(texel, shift):  # pragma: no cover - compiled
    """One channel of a texel as a linear value, times 255^2."""
    code = np.float32(np.int32(np.int32(texel >> shift) & np.int32(255)))
    return code * code
