"""Twin of the recurrent layers: one direction over one batch of equal sequences, step by step.

Letters: x (T, B, I), h and c (B, H), W_ih (P H, I), W_hh (P H, H), b_ih and b_hh (P H,). A batch of different lengths
is the same for each sequence alone; the second direction is the first one over the reversed sequence.
"""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(kind, x, h, c, weights):
    """One step: the new h and c, and what the gradient needs."""
    W_ih, W_hh, b_ih, b_hh = weights
    a, p = x @ W_ih.T + b_ih, h @ W_hh.T + b_hh
    if kind == "lstm":
        z_i, z_f, z_g, z_o = np.split(a + p, 4, axis=1)
        i, f, g, o = sigmoid(z_i), sigmoid(z_f), np.tanh(z_g), sigmoid(z_o)
        c_new = f * c + i * g
        return o * np.tanh(c_new), c_new, (x, h, c, i, f, g, o, c_new)
    if kind == "gru":
        a_r, a_u, a_n = np.split(a, 3, axis=1)
        p_r, p_u, p_n = np.split(p, 3, axis=1)
        r, u = sigmoid(a_r + p_r), sigmoid(a_u + p_u)
        n = np.tanh(a_n + r * p_n)
        return (1 - u) * n + u * h, c, (x, h, r, u, n, p_n)
    y = np.maximum(a + p, 0) if kind == "rnn_relu" else np.tanh(a + p)
    return y, c, (x, h, y)


def step_backward(kind, dh, dc, saved, weights):
    """Gradients by x, h, c and the weights from those by the new h and c."""
    W_ih, W_hh, _, _ = weights
    x, h = saved[:2]
    direct = 0  # from h' to h without a product
    if kind == "lstm":
        _, _, c, i, f, g, o, c_new = saved
        tanh_c = np.tanh(c_new)
        dc = dc + dh * o * (1 - tanh_c**2)
        da = np.concatenate(
            [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g**2), dh * tanh_c * o * (1 - o)], axis=1
        )
        dp, dc = da, dc * f
    elif kind == "gru":
        _, _, r, u, n, p_n = saved
        dn = dh * (1 - u) * (1 - n**2)
        dr, du = dn * p_n * r * (1 - r), dh * (h - n) * u * (1 - u)
        da, dp = np.concatenate([dr, du, dn], axis=1), np.concatenate([dr, du, dn * r], axis=1)
        direct = dh * u
    else:
        y = saved[2]
        da = dp = dh * (y > 0) if kind == "rnn_relu" else dh * (1 - y**2)
    return da @ W_ih, direct + dp @ W_hh, dc, (da.T @ x, dp.T @ h, da.sum(0), dp.sum(0))


def forward(kind, x, h, c, weights):
    """Return y (T, B, H), h_n, c_n, and what the gradient needs."""
    y, saved = [], []
    for x_t in x:
        h, c, kept = step(kind, x_t, h, c, weights)
        y.append(h)
        saved.append(kept)
    return np.stack(y), h, c, saved


def backward(kind, dy, dh_n, dc_n, saved, weights):
    """Return dx (T, B, I), dh0, dc0, gradients by the weights."""
    dh, dc = dh_n, dc_n
    dx, dweights = [], [np.zeros_like(w) for w in weights]
    for dy_t, kept in zip(dy[::-1], saved[::-1], strict=True):
        dx_t, dh, dc, step_dweights = step_backward(kind, dh + dy_t, dc, kept, weights)
        dx.append(dx_t)
        for total, one in zip(dweights, step_dweights, strict=True):
            total += one
    return np.stack(dx[::-1]), dh, dc, dweights


def layers(kind, x, lengths, h0, c0, weights, dy, dh_n, dc_n, bidirectional):
    """A stack over sequences of different lengths, and its gradients: everything, one sequence at a time.

    x (T, B, I), h0 and c0 (L D, B, H), weights one a direction of a layer. Returns (y, h_n, c_n) and
    (dx, dh0, dc0, dweights) for the gradients dy, dh_n, dc_n by the former.
    """
    n_directions = 2 if bidirectional else 1
    hidden = weights[0][1].shape[1]
    y = np.zeros((*x.shape[:2], n_directions * hidden), x.dtype)
    h_n, c_n, dx, dh0, dc0 = (np.zeros_like(a) for a in (h0, c0, x, h0, c0))
    dweights = [[np.zeros_like(w) for w in part] for part in weights]
    for b, length in enumerate(lengths):
        rows, kept = x[:length, b : b + 1], []
        for k, part in enumerate(weights):
            d = k % n_directions
            if d == 0:
                inputs, outputs = rows, []
            one_y, h, c, saved = forward(kind, inputs[:: 1 - 2 * d], h0[k, b : b + 1], c0[k, b : b + 1], part)
            h_n[k, b], c_n[k, b] = h[0], c[0]
            outputs.append(one_y[:: 1 - 2 * d])
            kept.append(saved)
            rows = np.concatenate(outputs, axis=2)
        y[:length, b] = rows[:, 0]
        drows = dy[:length, b : b + 1]
        for k in reversed(range(len(weights))):
            d = k % n_directions
            if d == n_directions - 1:
                doutputs, drows = drows, 0
            one_dy = doutputs[..., d * hidden : (d + 1) * hidden]
            one_dx, dh, dc, dw = backward(
                kind, one_dy[:: 1 - 2 * d], dh_n[k, b : b + 1], dc_n[k, b : b + 1], kept[k], weights[k]
            )
            drows = drows + one_dx[:: 1 - 2 * d]
            dh0[k, b], dc0[k, b] = dh[0], dc[0]
            for total, one in zip(dweights[k], dw, strict=True):
                total += one
        dx[:length, b] = drows[:, 0]
    return (y, h_n, c_n), (dx, dh0, dc0, dweights)
