"""The rules of the optimizers as their papers write them: one array, float64."""

import numpy as np


class Twin:
    """`rule` with PyTorch's names of the settings; `step` returns the new parameters."""

    def __init__(self, rule, lr, **settings):
        self.rule, self.lr, self.settings = rule, lr, settings
        self.t, self.v, self.s = 0, 0.0, settings.get("initial_accumulator_value", 0.0)
        self.x, self.product = 0.0, 1.0

    def step(self, p, given, scale=1.0, clip=np.inf):
        get = self.settings.get
        self.t += 1
        g = np.clip(scale * given, -clip, clip)
        g = -g if get("maximize", False) else g
        if self.rule == "NAdam" and get("decoupled_weight_decay", False):
            p = p * (1 - self.lr * get("weight_decay", 0.0))
        elif self.rule == "AdamW":
            p = p * (1 - self.lr * get("weight_decay", 0.01))
        else:
            g = g + get("weight_decay", 0.0) * p
        if self.rule == "SGD":
            m = get("momentum", 0.0)
            self.v = m * self.v + g
            return p - self.lr * (g + m * self.v if get("nesterov", False) else self.v)
        if self.rule == "Adagrad":
            self.s = self.s + g**2
            rate = self.lr / (1 + (self.t - 1) * get("lr_decay", 0.0))
            return p - rate * g / (np.sqrt(self.s) + get("eps", 1e-10))
        if self.rule == "RMSprop":
            h = get("alpha", 0.99)
            self.s = h * self.s + (1 - h) * g**2
            self.x = h * self.x + (1 - h) * g
            root = np.sqrt(self.s - self.x**2 if get("centered", False) else self.s)
            self.v = get("momentum", 0.0) * self.v + g / (root + get("eps", 1e-8))
            return p - self.lr * self.v
        b1, b2 = get("betas", (0.9, 0.999))
        self.v = b1 * self.v + (1 - b1) * g
        self.s = b2 * self.s + (1 - b2) * g**2
        self.x = np.maximum(self.x, self.s)
        root = np.sqrt((self.x if get("amsgrad", False) else self.s) / (1 - b2**self.t)) + get("eps", 1e-8)
        if self.rule == "NAdam":
            now, after = (b1 * (1 - 0.96 ** (t * get("momentum_decay", 4e-3)) / 2) for t in (self.t, self.t + 1))
            self.product *= now
            ahead = after * self.v / (1 - self.product * after)
            return p - self.lr * ((1 - now) * g / (1 - self.product) + ahead) / root
        return p - self.lr * (self.v / (1 - b1**self.t)) / root
