"""Compiled loops of `reprojection`: splat frames into a target, look up colours, fill where nothing was seen.

Pixel (row i, column j) of an image of `size` pixels looks along (1, left_j, up_i) in the axes (ahead, left, up) of its
camera, with left_j = (1 - (j + ½)·2/size)·tan and up_i = (1 - (i + ½)·2/size)·tan.

Most pixels of older frames land where a newer one was drawn. They are skipped in blocks: the eight corners of a block
of source pixels, at its least and greatest depth, bound where it lands, and a count of the pixels that are still open
per tile of the target tells whether it can add anything.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

BLOCK = 8  # samples per side of a block of a source, and pixels per side of a tile of the target
NEAREST = 0.05  # metres ahead of the target's camera; nearer points are not drawn
FAR = 1e9
GREY, NEUTRAL_METRES = 128.0, 2.0  # the fill where no frame was drawn at all
EDGE = 0.15  # relative difference of depth up to which two pixels belong to one surface


@njit(cache=True, nogil=True, fastmath=True)
def block_depths(depth_HW, stride, near_bb, far_bb):
    """Least and greatest depth, metres, of every block of samples; 0 where a block has no depth."""
    height, width = depth_HW.shape
    step = BLOCK * stride
    for a in range(near_bb.shape[0]):
        for b in range(near_bb.shape[1]):
            near, far = np.int32(65536), np.int32(0)
            for i in range(a * step + stride // 2, min(a * step + step, height), stride):
                for j in range(b * step + stride // 2, min(b * step + step, width), stride):
                    d = np.int32(depth_HW[i, j])
                    far = max(far, d)
                    near = min(near, d if d > 0 else np.int32(65536))
            near_bb[a, b] = near * 0.001 if far > 0 else 0.0
            far_bb[a, b] = far * 0.001


@njit(cache=True, nogil=True, fastmath=True)
def _adds(top, bottom, begin, end, near, far, pose_4, c, s, tan, spread, size, open_tt):
    """Whether points of a block of source pixels may land on an open tile.

    top, bottom, begin, end: tangents of the rays at the edges of the block, up and to the left
    near, far: least and greatest depth in the block
    """
    over, under, right, wrong, behind = 0, 0, 0, 0, 0
    least_u, most_u, least_v, most_v, grow = FAR, -FAR, FAR, -FAR, 0.5
    half = 0.5 * size
    for k in range(8):
        d = near if k & 1 else far
        ray = begin if k & 4 else end
        ahead = pose_4[0] + (c - s * ray) * d
        left = pose_4[1] + (s + c * ray) * d
        up = pose_4[2] + (top if k & 2 else bottom) * d
        edge = tan * ahead
        over += up > edge
        under += -up > edge
        wrong += left > edge
        right += -left > edge
        if ahead < NEAREST:
            behind += 1
            continue
        scale = half / edge
        u, v = half - left * scale, half - up * scale
        least_u, most_u = min(least_u, u), max(most_u, u)
        least_v, most_v = min(least_v, v), max(most_v, v)
        grow = max(grow, 0.5 * spread * d / ahead)
    if over == 8 or under == 8 or wrong == 8 or right == 8 or behind == 8:
        return False
    if behind > 0:
        return True
    grow += 0.5
    last = open_tt.shape[0] - 1
    a0, a1 = int(max(least_v - grow, 0.0)) // BLOCK, min(int(max(most_v + grow, 0.0)) // BLOCK, last)
    b0, b1 = int(max(least_u - grow, 0.0)) // BLOCK, min(int(max(most_u + grow, 0.0)) // BLOCK, last)
    for a in range(a0, a1 + 1):
        for b in range(b0, b1 + 1):
            if open_tt[a, b] > 0:
                return True
    return False


@njit(cache=True, nogil=True, fastmath=True)
def splat(depth_HW, near_bb, far_bb, pose_4, tan, stride, index, depth_out, source_out, open_tt, touched_tt):
    """Draw the depth of one frame where no newer frame was drawn; the nearest point of the frame wins.

    A point covers half a pixel of its source to each side, magnified by the approach. open_tt counts the pixels that
    are still open per tile; touched_tt tells which tiles this frame was drawn into.
    """
    height, size = depth_HW.shape[0], depth_out.shape[0]
    blocks = near_bb.shape[0]
    c, s = math.cos(pose_4[3]), math.sin(pose_4[3])
    forward, sideways, rise = np.float32(pose_4[0]), np.float32(pose_4[1]), np.float32(pose_4[2])
    spread = max(1.0, stride * size / height)
    radius = np.float32(0.5 * spread)
    step = BLOCK * stride
    per_pixel = 2.0 / height * tan
    ray_W = (tan - (np.arange(height) + 0.5) * per_pixel).astype(np.float32)
    ahead_W, left_W = (c - s * ray_W).astype(np.float32), (s + c * ray_W).astype(np.float32)
    focal, centre = np.float32(0.5 * size / tan), np.float32(0.5 * size - 0.5)
    last, nearest, milli = np.float32(size - 1), np.float32(NEAREST), np.float32(0.001)
    zero, one = np.float32(0.0), np.float32(1.0)
    touched_tt[:] = False
    for a in range(blocks):
        for b in range(blocks):
            if far_bb[a, b] == 0:
                continue
            i0, j0 = a * step, b * step
            i1, j1 = min(i0 + step, height), min(j0 + step, height)
            top, bottom = tan - i0 * per_pixel, tan - i1 * per_pixel
            begin, end = tan - j0 * per_pixel, tan - j1 * per_pixel
            near, far = near_bb[a, b], far_bb[a, b]
            if not _adds(top, bottom, begin, end, near, far, pose_4, c, s, tan, spread, size, open_tt):
                continue
            for i in range(i0 + stride // 2, i1, stride):
                up_i = ray_W[i]
                for j in range(j0 + stride // 2, j1, stride):
                    d = np.float32(depth_HW[i, j]) * milli
                    ahead = forward + ahead_W[j] * d
                    if d <= 0 or ahead < nearest:
                        continue
                    inverse = one / ahead
                    scale = focal * inverse
                    u = centre - (sideways + left_W[j] * d) * scale
                    v = centre - (rise + up_i * d) * scale
                    r = radius * max(one, d * inverse)
                    if u < -r or v < -r or u > last + r or v > last + r:
                        continue
                    u_least, v_least = max(u - r, zero), max(v - r, zero)
                    u0, v0 = int(u_least), int(v_least)
                    u0 += u0 < u_least
                    v0 += v0 < v_least
                    u1, v1 = int(min(u + r, last)), int(min(v + r, last))
                    for y in range(v0, v1 + 1):
                        for x in range(u0, u1 + 1):
                            if source_out[y, x] < 0:
                                depth_out[y, x] = ahead
                                source_out[y, x] = index
                                open_tt[y // BLOCK, x // BLOCK] -= 1
                                touched_tt[y // BLOCK, x // BLOCK] = True
                            elif source_out[y, x] == index and ahead < depth_out[y, x]:
                                depth_out[y, x] = ahead


@njit(cache=True, nogil=True, fastmath=True)
def close_cracks(depth_out, source_out, open_tt, touched_tt):
    """Give single open pixels between two pixels of one surface the depth between them, in the tiles just drawn into.

    Surfaces that are seen more steeply than before have such cracks, and so have seams between frames.
    """
    size = depth_out.shape[0]
    for a in range(open_tt.shape[0]):
        for b in range(open_tt.shape[1]):
            if open_tt[a, b] == 0 or not touched_tt[a, b]:
                continue
            for y in range(a * BLOCK, min(a * BLOCK + BLOCK, size)):
                for x in range(b * BLOCK, min(b * BLOCK + BLOCK, size)):
                    if source_out[y, x] >= 0:
                        continue
                    best, mean, source = EDGE, 0.0, -1
                    if 0 < x < size - 1 and source_out[y, x - 1] >= 0 and source_out[y, x + 1] >= 0:
                        p, q = depth_out[y, x - 1], depth_out[y, x + 1]
                        if abs(p - q) < best * min(p, q):
                            best, mean, source = abs(p - q) / min(p, q), 2.0 * p * q / (p + q), source_out[y, x - 1]
                    if 0 < y < size - 1 and source_out[y - 1, x] >= 0 and source_out[y + 1, x] >= 0:
                        p, q = depth_out[y - 1, x], depth_out[y + 1, x]
                        if abs(p - q) < best * min(p, q):
                            mean, source = 2.0 * p * q / (p + q), source_out[y - 1, x]
                    if source >= 0:
                        depth_out[y, x] = mean
                        source_out[y, x] = source
                        open_tt[a, b] -= 1


@njit(cache=True, nogil=True, fastmath=True)
def look_up(rgb_FHWC, frames_N, pose_N4, tan, taps, depth_out, source_out, image_out):
    """Colours of the covered pixels, bilinear in the frame that each came from; `taps` × `taps` look-ups per pixel.

    image_out: float32 (size, size, 4), red, green, blue and 1 / depth
    """
    source, size, n = rgb_FHWC.shape[1], depth_out.shape[0], len(frames_N)
    cosine_N, sine_N = np.cos(pose_N4[:, 3]).astype(np.float32), np.sin(pose_N4[:, 3]).astype(np.float32)
    shift_N4 = pose_N4.astype(np.float32)
    focal, centre, last = np.float32(0.5 * source / tan), np.float32(0.5 * source - 0.5), np.float32(source - 1)
    ray_W = ((1.0 - (np.arange(size) + 0.5) * 2.0 / size) * tan).astype(np.float32)
    zero, one, share = np.float32(0.0), np.float32(1.0), np.float32(1.0 / (taps * taps))
    for y in range(size):
        for x in range(size):
            k = source_out[y, x]
            if k < 0 or k >= n:
                continue
            z = depth_out[y, x]
            c, s = cosine_N[k], sine_N[k]
            ahead, left = z - shift_N4[k, 0], ray_W[x] * z - shift_N4[k, 1]
            scale = focal / max(c * ahead + s * left, np.float32(0.02))
            u = centre - (c * left - s * ahead) * scale
            v = centre - (ray_W[y] * z - shift_N4[k, 2]) * scale
            f = frames_N[k]
            red, green, blue = zero, zero, zero
            for t in range(taps * taps):
                ut = min(max(u + np.float32(2 * (t % taps) - taps + 1), zero), last)
                vt = min(max(v + np.float32(2 * (t // taps) - taps + 1), zero), last)
                u0, v0 = min(int(ut), source - 2), min(int(vt), source - 2)
                fu, fv = ut - np.float32(u0), vt - np.float32(v0)
                w11 = fu * fv
                w01, w10 = fu - w11, fv - w11
                w00 = one - fu - w10
                red += w00 * np.float32(rgb_FHWC[f, v0, u0, 0]) + w01 * np.float32(rgb_FHWC[f, v0, u0 + 1, 0])
                red += w10 * np.float32(rgb_FHWC[f, v0 + 1, u0, 0]) + w11 * np.float32(rgb_FHWC[f, v0 + 1, u0 + 1, 0])
                green += w00 * np.float32(rgb_FHWC[f, v0, u0, 1]) + w01 * np.float32(rgb_FHWC[f, v0, u0 + 1, 1])
                green += w10 * np.float32(rgb_FHWC[f, v0 + 1, u0, 1]) + w11 * np.float32(rgb_FHWC[f, v0 + 1, u0 + 1, 1])
                blue += w00 * np.float32(rgb_FHWC[f, v0, u0, 2]) + w01 * np.float32(rgb_FHWC[f, v0, u0 + 1, 2])
                blue += w10 * np.float32(rgb_FHWC[f, v0 + 1, u0, 2]) + w11 * np.float32(rgb_FHWC[f, v0 + 1, u0 + 1, 2])
            image_out[y, x, 0] = red * share
            image_out[y, x, 1] = green * share
            image_out[y, x, 2] = blue * share
            image_out[y, x, 3] = one / z


@njit(cache=True, nogil=True, fastmath=True)
def push_pull(image_HWC, weight_HW):
    """Fill the pixels of weight 0 in place from ever coarser means of the pixels of weight 1.

    Reference: Gortler et al., The Lumigraph, SIGGRAPH 1996, section 3.4. Sides need not be powers of two.
    """
    images, weights = [image_HWC], [weight_HW]
    while images[-1].shape[0] > 1:
        fine, fine_weight = images[-1], weights[-1]
        n = fine.shape[0]
        m = (n + 1) // 2
        coarse, coarse_weight = np.zeros((m, m, 4), np.float32), np.zeros((m, m), np.float32)
        full = True
        for i in range(m):
            i1 = min(2 * i + 2, n)
            for j in range(m):
                j1 = min(2 * j + 2, n)
                total = np.float32(0.0)
                r, g, b, d = np.float32(0.0), np.float32(0.0), np.float32(0.0), np.float32(0.0)
                for y in range(2 * i, i1):
                    for x in range(2 * j, j1):
                        w = fine_weight[y, x]
                        if w > 0:
                            total += w
                            r += w * fine[y, x, 0]
                            g += w * fine[y, x, 1]
                            b += w * fine[y, x, 2]
                            d += w * fine[y, x, 3]
                if total > 0:
                    coarse_weight[i, j] = min(total, np.float32(1.0))
                    coarse[i, j, 0], coarse[i, j, 1] = r / total, g / total
                    coarse[i, j, 2], coarse[i, j, 3] = b / total, d / total
                if total < 1:
                    full = False
        images.append(coarse)
        weights.append(coarse_weight)
        if full:
            break
    for level in range(len(images) - 2, -1, -1):
        fine, fine_weight, coarse = images[level], weights[level], images[level + 1]
        n, m = fine.shape[0], coarse.shape[0]
        for i in range(n):
            y0, fy = (i - 1) // 2, np.float32(0.25 if i % 2 else 0.75)
            ya, yb = max(y0, 0), min(y0 + 1, m - 1)
            for j in range(n):
                w = fine_weight[i, j]
                if w >= 1:
                    continue
                x0, fx = (j - 1) // 2, np.float32(0.25 if j % 2 else 0.75)
                xa, xb = max(x0, 0), min(x0 + 1, m - 1)
                for k in range(4):
                    top = coarse[ya, xa, k] * (1 - fx) + coarse[ya, xb, k] * fx
                    bottom = coarse[yb, xa, k] * (1 - fx) + coarse[yb, xb, k] * fx
                    up = top * (1 - fy) + bottom * fy
                    fine[i, j, k] = w * fine[i, j, k] + (1 - w) * up


@njit(cache=True, nogil=True)
def mean_colour(rgb_HWC):
    """Mean of every seventh pixel in both directions, float64 (3,)."""
    total = np.zeros(3)
    count = 0
    for i in range(0, rgb_HWC.shape[0], 7):
        for j in range(0, rgb_HWC.shape[1], 7):
            count += 1
            for k in range(3):
                total[k] += rgb_HWC[i, j, k]
    return total / count


@njit(cache=True, nogil=True, fastmath=True)
def reproject_all(
    rgb_FHWC, depth_FHW, frames_PN, pose_PN4, tan, stride, taps, rgb_PHWC, depth_PHW, coverage_PHW, source_PHW
):
    """See `reprojection.reproject_frames`, which allocates the outputs."""
    F, source = depth_FHW.shape[0], depth_FHW.shape[1]
    P, N = frames_PN.shape
    size = depth_PHW.shape[1]
    blocks, tiles = -(-source // (BLOCK * stride)), -(-size // BLOCK)
    slot_F = np.full(F, -1, np.int64)
    used = 0
    for p in range(P):
        for n in range(N):
            if frames_PN[p, n] >= 0 and slot_F[frames_PN[p, n]] < 0:
                slot_F[frames_PN[p, n]] = used
                used += 1
    near_Ubb, far_Ubb = np.empty((used, blocks, blocks)), np.empty((used, blocks, blocks))
    ready_U = np.zeros(used, np.bool_)
    image = np.zeros((size, size, 4), np.float32)
    weight = np.zeros((size, size), np.float32)
    open_tt, touched_tt = np.empty((tiles, tiles), np.int32), np.empty((tiles, tiles), np.bool_)
    for p in range(P):
        depth_out, source_out = depth_PHW[p], source_PHW[p]
        depth_out[:] = FAR
        source_out[:] = -1
        for a in range(tiles):
            for b in range(tiles):
                open_tt[a, b] = min(BLOCK, size - a * BLOCK) * min(BLOCK, size - b * BLOCK)
        left_open = size * size
        newest = -1
        for n in range(N - 1, -1, -1):
            f = frames_PN[p, n]
            if f < 0:
                continue
            newest = max(newest, n)
            slot = slot_F[f]
            if not ready_U[slot]:
                block_depths(depth_FHW[f], stride, near_Ubb[slot], far_Ubb[slot])
                ready_U[slot] = True
            near_bb, far_bb, pose_4 = near_Ubb[slot], far_Ubb[slot], pose_PN4[p, n]
            splat(depth_FHW[f], near_bb, far_bb, pose_4, tan, stride, n, depth_out, source_out, open_tt, touched_tt)
            close_cracks(depth_out, source_out, open_tt, touched_tt)
            left_open = open_tt.sum()
            if left_open == 0:
                break
        if left_open == size * size:
            colour = mean_colour(rgb_FHWC[frames_PN[p, newest]]) if newest >= 0 else np.full(3, GREY)
            for y in range(size):
                for x in range(size):
                    coverage_PHW[p, y, x] = False
                    depth_out[y, x] = NEUTRAL_METRES
                    for k in range(3):
                        rgb_PHWC[p, y, x, k] = np.uint8(colour[k] + 0.5)
            continue
        look_up(rgb_FHWC, frames_PN[p], pose_PN4[p], tan, taps, depth_out, source_out, image)
        if left_open > 0:
            for y in range(size):
                for x in range(size):
                    weight[y, x] = 1.0 if source_out[y, x] >= 0 else 0.0
            push_pull(image, weight)
        for y in range(size):
            for x in range(size):
                covered = source_out[y, x] >= 0
                coverage_PHW[p, y, x] = covered
                if not covered:
                    depth_out[y, x] = 1.0 / image[y, x, 3]
                for k in range(3):
                    rgb_PHWC[p, y, x, k] = np.uint8(min(max(image[y, x, k] + np.float32(0.5), 0.0), 255.0))
