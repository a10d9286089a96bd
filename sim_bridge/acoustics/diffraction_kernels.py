"""Numba kernels of the wedge solution: double precision, no fastmath.

Gains are pressures relative to an unobstructed path of the same length. Angles are in radians from an edge's reference
face.
Shapes: E edges · P pairs of edges · B octave bands.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_FACE = math.radians(1.0)  # a direction within this angle of a face counts as along the face
_EXACT = 1e-6  # radians: tolerance of the angles of source and listener
_LIT_FULL = math.pi  # radians: phase lag of the edge path behind the straight one up to which the correction is full
_LIT_NONE = 3.0 * math.pi  # radians: phase lag from which the lit side is not corrected
LIT_ANGLE = math.radians(45.0)  # angle from the shadow boundary from which the lit side is not corrected
_BOUNDARY = 1e-3  # radians from the shadow boundary within which shadow rays decide on which side a point lies
_NEWTON = 12  # iterations


@njit(cache=True, nogil=True)
def fresnel_auxiliary(x):
    """The auxiliary Fresnel functions f(x) and g(x), x >= 0 (Abramowitz and Stegun 7.3.5-6), to 0.5 %."""
    t = 0.5 * math.pi * x * x
    if x < 2.2:  # the power series of C(x) and S(x)
        term, c, s = x, 0.0, 0.0
        for k in range(40):
            part = term / (2 * k + 1)
            if k % 2 == 0:
                c += part if k % 4 == 0 else -part
            else:
                s += part if k % 4 == 1 else -part
            term *= t / (k + 1)
            if term < 1e-9:
                break
        sine, cosine = math.sin(t), math.cos(t)
        return (0.5 - s) * cosine - (0.5 - c) * sine, (0.5 - c) * cosine + (0.5 - s) * sine
    square = 1.0 / (4.0 * t * t)
    f = (1.0 - square * (3.0 - 105.0 * square)) / (math.pi * x)
    g = (1.0 - square * (15.0 - 945.0 * square)) / (math.pi * x * 2.0 * t)
    return f, g


@njit(cache=True, nogil=True)
def wedge_gain(open_angle, minus, plus, k_l, grazing):
    """(bent, straight): pressure around a rigid wedge relative to the free pressure at the same path length.

    minus, plus: difference and sum of the angles of both path segments, radians · k_l: wave number times r r' / path
    grazing: whether a segment runs along a face. The reflected wave then is part of the incident one, and so is its
    term.

    bent: gain of the diffracted wave in the shadow: 1/2 at the shadow boundary, apart from the terms of the other
    faces. On the lit side it is the mirror image of that.
    straight: twice the term that changes its sign at the shadow boundary, where it is 1. The total field on the lit
    side is 1 + bent - straight, which is continuous with the shadow.

    Source: Kouyoumjian and Pathak (1974), with F(X) = sqrt(2 pi X) (f + j g)(sqrt(2 X / pi)) substituted, so that the
    poles of the cotangents cancel.
    """
    n = open_angle / math.pi
    scale = math.sqrt(2.0 * k_l / math.pi)
    real, imaginary, own_real, own_imaginary = 0.0, 0.0, 0.0, 0.0
    twin = -1 if not grazing else (3 if plus <= open_angle else 2)  # 3: along the reference face, 2: along the other
    for which in range(4):
        beta = minus if which < 2 else plus
        sign = 1.0 if which % 2 == 0 else -1.0
        half = (math.pi + sign * beta) / (2.0 * n)
        period = np.rint((beta + sign * math.pi) / (2.0 * math.pi * n))
        root_a = math.sqrt(2.0) * abs(math.cos(n * math.pi * period - 0.5 * beta))
        sine = math.sin(half)
        if abs(sine) < 1e-9:  # on the boundary itself: use the limit
            half += 1e-7
            root_a = math.sqrt(2.0) * math.sin(n * 1e-7)
            sine = math.sin(half)
        f, g = fresnel_auxiliary(scale * root_a)
        weight = -math.cos(half) / sine * root_a
        if which == 1 or which == twin:
            weight = abs(weight)
            own_real += weight * f
            own_imaginary += weight * g
        real += weight * f
        imaginary += weight * g
    return math.hypot(real, imaginary) / (2.0 * n), math.hypot(own_real, own_imaginary) / n


@njit(cache=True, nogil=True)
def _beyond(u):
    """The share of an infinite edge's pressure from beyond the point at Fresnel distance u >= 0 from the apex."""
    f, g = fresnel_auxiliary(u)
    return math.sqrt(0.5 * (f * f + g * g))


@njit(cache=True, nogil=True)
def finite_share(low, high, scale):
    """The share of an infinite edge's pressure from its piece between `low` and `high` (metres from the apex)."""
    low_share, high_share = _beyond(abs(low) * scale), _beyond(abs(high) * scale)
    if low <= 0.0 <= high:
        return 1.0 - low_share - high_share
    return abs(low_share - high_share)


@njit(cache=True, nogil=True)
def _lit(phase, minus):
    """The fraction (0 to 1) of the lit-side correction if the edge path lags the straight path by `phase` radians."""
    if minus >= math.pi:
        return 1.0
    off = max((phase - _LIT_FULL) / (_LIT_NONE - _LIT_FULL), 0.0)
    turned = (math.pi - minus) / LIT_ANGLE
    if off >= 1.0 or turned >= 1.0:
        return 0.0
    return (0.5 + 0.5 * math.cos(math.pi * off)) * (0.5 + 0.5 * math.cos(math.pi * turned))


@njit(cache=True, nogil=True)
def _side(minus):
    """1 in the shadow, -1 on the lit side, 0 at the boundary."""
    if abs(minus - math.pi) < _BOUNDARY:
        return 0
    return 1 if minus > math.pi else -1


@njit(cache=True, nogil=True)
def _around(start_3, axis_3, face_3, normal_3, open_angle, point_3, slack):
    """Cylindrical coordinates of a point around an edge: position along it and distance from it (metres), and angle.

    The angle is -1 for a point that lies more than `slack` radians inside the solid.
    """
    x = y = z = 0.0
    for i in range(3):
        d = point_3[i] - start_3[i]
        z += d * axis_3[i]
        x += d * face_3[i]
        y += d * normal_3[i]
    angle = math.atan2(y, x)
    if angle < -slack:
        angle += 2.0 * math.pi
    if angle > open_angle + slack:
        angle = -1.0
    else:
        angle = min(max(angle, 0.0), open_angle)
    return z, math.hypot(x, y), angle


@njit(cache=True, nogil=True)
def first_order(start_E3, axis_E3, length_E, face_E3, normal_E3, angle_E, source_3, listener_3, k_B, margin):
    """Paths over one edge: apex_E (metres along the edge), path_E (metres), side_E, and gains bent_EB and straight_EB.

    side_E: see `_side`. The apex stays `margin` metres away from the ends of its edge. The gains of an edge without a
    path are 0.
    """
    count, bands = len(length_E), len(k_B)
    apex_E, path_E, side_E = np.zeros(count), np.ones(count), np.zeros(count, dtype=np.int8)
    bent_EB, straight_EB = np.zeros((count, bands)), np.zeros((count, bands))
    for e in range(count):
        zs, rs, phi_s = _around(start_E3[e], axis_E3[e], face_E3[e], normal_E3[e], angle_E[e], source_3, _EXACT)
        zr, rr, phi_r = _around(start_E3[e], axis_E3[e], face_E3[e], normal_E3[e], angle_E[e], listener_3, _EXACT)
        if phi_s < 0.0 or phi_r < 0.0 or rs < 1e-3 or rr < 1e-3:
            continue
        minus, plus = abs(phi_s - phi_r), phi_s + phi_r
        side_E[e] = _side(minus)
        unfolded = math.hypot(rs + rr, zs - zr)
        wave = rs * rr / unfolded
        lag = wave * 2.0 * math.cos(0.5 * minus) ** 2
        if _lit(k_B[0] * lag, minus) == 0.0:
            continue
        z = (zs * rr + zr * rs) / (rs + rr)
        apex_E[e] = min(max(z, margin), length_E[e] - margin)
        path_E[e] = math.hypot(rs, zs - apex_E[e]) + math.hypot(rr, zr - apex_E[e])
        sine = (rs + rr) / unfolded
        curvature = sine**3 * (1.0 / rs + 1.0 / rr)
        for b in range(bands):
            share = finite_share(-z, length_E[e] - z, math.sqrt(k_B[b] * curvature / math.pi))
            share *= _lit(k_B[b] * lag, minus)
            bent, straight = wedge_gain(angle_E[e], minus, plus, k_B[b] * wave, False)
            bent_EB[e, b], straight_EB[e, b] = share * bent, share * straight
    return apex_E, path_E, side_E, bent_EB, straight_EB


@njit(cache=True, nogil=True)
def _shortest(start_1, axis_1, start_2, axis_2, source_3, listener_3, a, b):
    """The two apexes of the shortest path over two infinite lines, by Newton's method from (a, b)."""
    cross = 0.0
    for i in range(3):
        cross += axis_1[i] * axis_2[i]
    best = np.inf
    step_a = step_b = 0.0
    for _ in range(_NEWTON):
        d1 = d2 = d3 = g1 = g2a = g2b = g3 = 0.0
        for i in range(3):
            p, q = start_1[i] + a * axis_1[i], start_2[i] + b * axis_2[i]
            d1 += (p - source_3[i]) ** 2
            d2 += (p - q) ** 2
            d3 += (q - listener_3[i]) ** 2
            g1 += (p - source_3[i]) * axis_1[i]
            g2a += (p - q) * axis_1[i]
            g2b += (p - q) * axis_2[i]
            g3 += (q - listener_3[i]) * axis_2[i]
        d1, d2, d3 = max(math.sqrt(d1), 1e-6), max(math.sqrt(d2), 1e-6), max(math.sqrt(d3), 1e-6)
        g1, g2a, g2b, g3 = g1 / d1, g2a / d2, g2b / d2, g3 / d3
        total = d1 + d2 + d3
        if total > best + 1e-12:  # overshot: the length is convex, so half the step reduces it
            step_a, step_b = 0.5 * step_a, 0.5 * step_b
            a, b = a - step_a, b - step_b
            continue
        best = total
        haa = (1.0 - g1 * g1) / d1 + (1.0 - g2a * g2a) / d2
        hbb = (1.0 - g3 * g3) / d3 + (1.0 - g2b * g2b) / d2
        hab = -(cross - g2a * g2b) / d2
        determinant = haa * hbb - hab * hab
        if determinant <= 1e-12 * haa * hbb:
            break
        ga, gb = g1 + g2a, g3 - g2b
        step_a, step_b = (hab * gb - hbb * ga) / determinant, (hab * ga - haa * gb) / determinant
        if abs(step_a) + abs(step_b) < 1e-7:
            break
        a, b = a + step_a, b + step_b
    return a, b


@njit(cache=True, nogil=True)
def _apex(start_3, axis_3, length, p_3, q_3, margin):
    """Where the shortest path from p to q meets an edge (metres along it), kept `margin` away from its ends."""
    zp = zq = pp = qq = 0.0
    for i in range(3):
        dp, dq = p_3[i] - start_3[i], q_3[i] - start_3[i]
        zp += dp * axis_3[i]
        zq += dq * axis_3[i]
        pp += dp * dp
        qq += dq * dq
    rp, rq = math.sqrt(max(pp - zp * zp, 1e-12)), math.sqrt(max(qq - zq * zq, 1e-12))
    return min(max((zp * rq + zq * rp) / (rp + rq), margin), length - margin)


@njit(cache=True, nogil=True)
def _parallel(axis_1, axis_2):
    return abs(axis_1[0] * axis_2[0] + axis_1[1] * axis_2[1] + axis_1[2] * axis_2[2]) > 0.999


@njit(cache=True, nogil=True)
def second_order(start_E3, axis_E3, length_E, face_E3, normal_E3, angle_E, pair_P2, source_3, listener_3, k_B, margin):
    """Paths over two edges, as in `first_order`: apex_P2, path_P, side_P2, bent_PB, straight_PB.

    The double wedge after Pierce (1974), extended from one wide barrier to any two edges. For the edge that bends the
    sound more, the distance on the far side is the whole rest of the path; for the other edge it is only the segment
    between the edges. This overestimates the pressure at a wall thinner than about a sixth of a wavelength, where the
    two edges act as one, so the wedge that they merge into is an upper bound.
    """
    count, bands = len(pair_P2), len(k_B)
    apex_P2, path_P = np.zeros((count, 2)), np.ones(count)
    side_P2 = np.zeros((count, 2), dtype=np.int8)
    bent_PB, straight_PB = np.zeros((count, bands)), np.zeros((count, bands))
    p_3, q_3 = np.empty(3), np.empty(3)
    for n in range(count):
        i, j = pair_P2[n, 0], pair_P2[n, 1]
        a = _apex(start_E3[i], axis_E3[i], length_E[i], source_3, listener_3, margin)
        b = _apex(start_E3[j], axis_E3[j], length_E[j], source_3, listener_3, margin)
        free_a, free_b = _shortest(start_E3[i], axis_E3[i], start_E3[j], axis_E3[j], source_3, listener_3, a, b)
        a = min(max(free_a, margin), length_E[i] - margin)
        b = min(max(free_b, margin), length_E[j] - margin)
        for k in range(3):
            p_3[k], q_3[k] = start_E3[i, k] + a * axis_E3[i, k], start_E3[j, k] + b * axis_E3[j, k]
        if a != free_a or b != free_b:  # one apex is clamped to an end: recompute the other
            for _ in range(4):
                a = _apex(start_E3[i], axis_E3[i], length_E[i], source_3, q_3, margin)
                for k in range(3):
                    p_3[k] = start_E3[i, k] + a * axis_E3[i, k]
                b = _apex(start_E3[j], axis_E3[j], length_E[j], p_3, listener_3, margin)
                for k in range(3):
                    q_3[k] = start_E3[j, k] + b * axis_E3[j, k]
        apex_P2[n, 0], apex_P2[n, 1] = a, b
        zs, rs, phi_s = _around(start_E3[i], axis_E3[i], face_E3[i], normal_E3[i], angle_E[i], source_3, _EXACT)
        zq, rq, phi_q = _around(start_E3[i], axis_E3[i], face_E3[i], normal_E3[i], angle_E[i], q_3, _FACE)
        _, rp, phi_p = _around(start_E3[j], axis_E3[j], face_E3[j], normal_E3[j], angle_E[j], p_3, _FACE)
        zr, rr, phi_r = _around(start_E3[j], axis_E3[j], face_E3[j], normal_E3[j], angle_E[j], listener_3, _EXACT)
        if min(phi_s, phi_q, phi_p, phi_r) < 0.0 or min(rs, rq, rp, rr) < 1e-3:
            continue
        minus_1, minus_2 = abs(phi_s - phi_q), abs(phi_p - phi_r)
        side_P2[n, 0], side_P2[n, 1] = _side(minus_1), _side(minus_2)
        if side_P2[n, 0] + side_P2[n, 1] < 0 or (minus_1 < math.pi and minus_2 < math.pi):
            continue
        d1, d3 = math.hypot(rs, zs - a), math.hypot(rr, zr - b)
        d2 = math.hypot(rq, zq - a)
        total = d1 + d2 + d3
        path_P[n] = total
        parallel = _parallel(axis_E3[i], axis_E3[j])
        if not parallel and d2 < 3.0 * margin:  # where two edges meet, each already has its own path
            continue
        sine_1, sine_2 = rs / d1, rr / d3
        wave_1, wave_2 = d1 * (d2 + d3) / total * sine_1**2, d3 * (d1 + d2) / total * sine_2**2
        lag_1, lag_2 = wave_1 * 2.0 * math.cos(0.5 * minus_1) ** 2, wave_2 * 2.0 * math.cos(0.5 * minus_2) ** 2
        if _lit(k_B[0] * lag_1, minus_1) == 0.0 or _lit(k_B[0] * lag_2, minus_2) == 0.0:
            continue
        if lag_1 >= lag_2:
            wave_2 = d3 * d2 / (d3 + d2) * sine_2**2
        else:
            wave_1 = d1 * d2 / (d1 + d2) * sine_1**2
        curvature_1 = sine_1**2 * (1.0 / d1 + 1.0 / (d2 + d3))
        curvature_2 = sine_2**2 * (1.0 / d3 + 1.0 / (d1 + d2))
        # For a wave that grazes a rigid face between the edges, the incident and reflected halves count as one.
        joined = (phi_q < _FACE or phi_q > angle_E[i] - _FACE) and (phi_p < _FACE or phi_p > angle_E[j] - _FACE)
        merged = 0.0
        if joined and parallel:
            merged = min(angle_E[i] + angle_E[j] - math.pi, 2.0 * math.pi)
            # Convert angles from the face between the edges to angles around the merged edge, from its first face.
            outer_s = phi_s if phi_q > math.pi else angle_E[i] - phi_s
            outer_r = angle_E[i] - math.pi + (phi_r if phi_p < math.pi else angle_E[j] - phi_r)
            outer_r = min(outer_r, merged)
            if outer_r - outer_s <= math.pi:
                merged = 0.0
            wave_m = (d1 + 0.5 * d2) * (d3 + 0.5 * d2) / total * sine_1 * sine_2
        for band in range(bands):
            k = k_B[band]
            share_1 = finite_share(-free_a, length_E[i] - free_a, math.sqrt(k * curvature_1 / math.pi))
            share_2 = finite_share(-free_b, length_E[j] - free_b, math.sqrt(k * curvature_2 / math.pi))
            share = min(share_1, share_2) if parallel else share_1 * share_2  # parallel edges are cut off once
            share *= _lit(k * lag_1, minus_1) * _lit(k * lag_2, minus_2) * (0.5 if joined else 1.0)
            bent_1, straight_1 = wedge_gain(angle_E[i], minus_1, phi_s + phi_q, k * wave_1, joined)
            bent_2, straight_2 = wedge_gain(angle_E[j], minus_2, phi_p + phi_r, k * wave_2, joined)
            bent_PB[n, band] = share * bent_1 * bent_2
            straight_PB[n, band] = share * (bent_1 * straight_2 if minus_1 >= minus_2 else straight_1 * bent_2)
            if merged > 0.0:
                bound, _ = wedge_gain(merged, outer_r - outer_s, outer_r + outer_s, k * wave_m, False)
                bent_PB[n, band] = min(bent_PB[n, band], 2.0 * share * bound)
    return apex_P2, path_P, side_P2, bent_PB, straight_PB


@njit(cache=True, nogil=True)
def _angle(start_3, face_3, normal_3, point_3):
    """The angle (0 to 2 pi) of a point around an edge."""
    x = y = 0.0
    for i in range(3):
        x += (point_3[i] - start_3[i]) * face_3[i]
        y += (point_3[i] - start_3[i]) * normal_3[i]
    angle = math.atan2(y, x)
    return angle if angle >= 0.0 else angle + 2.0 * math.pi


@njit(cache=True, nogil=True)
def candidate_pairs(start_E3, face_E3, normal_E3, angle_E, point_L3, edge_L, from_L, source_3, gap):
    """Pairs of sample points (first_K, second_K, indices into `point_L3`) that a path over two edges may use.

    They lie on different edges and at most `gap` metres apart. Sound from the source bends around the first edge
    towards the second, or nearly so, and may then bend around the second.
    """
    first_K, second_K = np.empty(1024, dtype=np.int64), np.empty(1024, dtype=np.int64)
    found = 0
    for a in from_L:
        i = edge_L[a]
        arriving = _angle(start_E3[i], face_E3[i], normal_E3[i], source_3)
        for b in range(len(edge_L)):
            j = edge_L[b]
            square = 0.0
            for k in range(3):
                square += (point_L3[b, k] - point_L3[a, k]) ** 2
            if i == j or square > gap * gap:
                continue
            leaving = _angle(start_E3[i], face_E3[i], normal_E3[i], point_L3[b])
            if abs(arriving - leaving) <= math.pi - LIT_ANGLE:
                continue
            reaching = _angle(start_E3[j], face_E3[j], normal_E3[j], point_L3[a])
            if max(reaching, angle_E[j] - reaching) <= math.pi - LIT_ANGLE:
                continue
            if found == len(first_K):
                first_K = np.concatenate((first_K, np.empty_like(first_K)))
                second_K = np.concatenate((second_K, np.empty_like(second_K)))
            first_K[found], second_K[found] = a, b
            found += 1
    return first_K[:found], second_K[:found]
