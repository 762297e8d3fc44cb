"""The sizes at which one way of computing takes over from another, in elements.

Each names the line of the benchmark that defends it.
"""

PIECE = 2**19
"""A piece of a large array: in float32 two megabytes, of which the caches hold a few.

Benchmark: `values`, the ratio of L1 at 2^24 elements to the formula written out.
"""

SQUARED = 2**17
"""A piece of a gradient whose squares are added up in float64: the copy takes a megabyte.

Benchmark: `control`, L2Norm with a target beside L2Norm with a number, 64→1024→64.
"""

LARGE = 2**16
"""Above it an array outside of a graph is read in pieces: a fresh temporary costs more.

Benchmark: `values`, L1 at 2^18 elements; 2^16 is read at once.
"""

GRADIENT_AT_ONCE = 2 * PIECE
"""Up to it a gradient is allocated and written at once; beyond, piece by piece.

Benchmark: `sites`, the output of 2^20 elements.
"""

BY_AUTOGRAD = 2**19
"""Up to it L1 of an output that autograd saves anyway is `x.abs().sum()` in the graph.

Benchmark: `steps`, the ResNet and the MLP: between large operations a Python call costs most.
"""

COPIED = 2**14
"""Up to it a tap copies an output, and the collection reads all copies of a shape together.

Benchmark: `sites`, many small outputs.
"""

ROW = 1024
"""The length of rows in which float32 is summed: longer dot products lose digits."""

TIME_STEPS = 4
"""The fewest steps of time in a block of differences: neighbouring blocks read a step twice."""

TOGETHER_ELSEWHERE = 2**26
"""The elements of weights that share one multi-tensor operation on a device that is no CPU."""

ROWS = 2**16
"""The elements of the rows of a code that are read at a time, with a buffer of their size.

Benchmark: none yet; a JumpReLU of (4096, 2048) takes a third of the time that whole arrays do.
"""
