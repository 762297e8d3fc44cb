"""
One penalty in NumPy, PyTorch and JAX
=====================================

The same call gives the same numbers in three libraries: the gradients of three penalties differ by
less than 1e-7 from those of NumPy in float64.

A penalty is a formula. It is computed by the library of the array that it is given, and returns an
array of that library.
"""

# %%
# The same call
# -------------

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import torch

import regularizers as rz

x = np.linspace(-3, 3, 121, dtype=np.float32)
penalty = rz.Huber(1.0, 0.5)
for array in (x, torch.from_numpy(x), jnp.asarray(x)):
    gradient = penalty.gradient(array)
    print(f"{type(array).__module__:20} value {float(penalty(array)):.5f}, a {type(gradient)}")

# %%
# The libraries' own derivatives
# ------------------------------
# A value can be differentiated too: by ``backward`` in PyTorch, by ``jax.grad`` under ``jax.jit``.
# NumPy differentiates nothing; ``penalty.gradient`` is for all three.

tensor = torch.from_numpy(x).requires_grad_()
penalty(tensor).backward()
by_jax = jax.jit(jax.grad(penalty))(jnp.asarray(x))
exact = penalty.gradient(x.astype(np.float64))
print(f"PyTorch's backward: off by {np.abs(tensor.grad.numpy() - exact).max():.0e}")
print(f"JAX's grad, jitted: off by {np.abs(np.asarray(by_jax) - exact).max():.0e}")

# %%
# Three penalties
# ---------------
# The reference is NumPy in float64. A float32 number has a relative rounding error of up to 6e-8.

penalties = {"L1L2": rz.L1L2(0.5, 0.1), "Huber": rz.Huber(1.0, 0.5), "LogSum": rz.LogSum(0.5, 0.5)}
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
worst = 0.0
for name, penalty in penalties.items():
    exact = penalty.gradient(x.astype(np.float64))
    gradients = {
        "NumPy": penalty.gradient(x),
        "PyTorch": penalty.gradient(torch.from_numpy(x)).numpy(),
        "JAX": np.asarray(penalty.gradient(jnp.asarray(x))),
    }
    left.plot(x, gradients["NumPy"], color="0.6", lw=4, zorder=0)
    left.plot(x[::8], gradients["PyTorch"][::8], "o", color="C0", ms=5, mfc="none")
    left.plot(x[4::8], gradients["JAX"][4::8], "x", color="C1", ms=5)
    left.text(3.1, exact[-1], name, va="center")
    for (library, gradient), mark, colour in zip(
        gradients.items(), "sox", ["0.6", "C0", "C1"], strict=True
    ):
        errors = np.abs(gradient - exact)
        worst = max(worst, errors.max())
        right.plot(x, errors, mark, color=colour, ms=4, mfc="none")
        print(f"{name:7} {library:8} largest difference {errors.max():.1e}")
left.set(xlabel="x", ylabel="gradient", xlim=(-3, 4.6))
left.set_title("One curve: NumPy, PyTorch (o), JAX (x)", fontsize=11)
right.axhline(6e-8, color="k", lw=1, ls=":")
right.text(0, 5.5e-8, "rounding of float32", ha="center")
right.set(xlabel="x", ylabel="difference to float64")
right.set_title(f"No difference above {worst:.0e}", fontsize=11)
plt.show()

# %%
# Masks, reductions and other libraries of the Array API: :doc:`/how-to/arrays`.
