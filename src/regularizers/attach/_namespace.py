"""PyTorch as the array namespace of the penalties, in a form that its transforms can follow.

The functions are handed over, because asking for them by the array does not trace under
`torch.compile`. One differs from `array_api_compat.torch`, whose `sign` writes NaN by a boolean
mask, which `vmap` cannot batch. Here the sign of NaN is 0, as it is in PyTorch; the value of the
penalty is NaN all the same.
"""

from array_api_compat.torch import abs as abs  # noqa: A004
from array_api_compat.torch import any as any  # noqa: A004
from array_api_compat.torch import astype as astype
from array_api_compat.torch import broadcast_to as broadcast_to
from array_api_compat.torch import clip as clip
from array_api_compat.torch import finfo as finfo
from array_api_compat.torch import float32 as float32
from array_api_compat.torch import int32 as int32
from array_api_compat.torch import log as log
from array_api_compat.torch import max as max  # noqa: A004
from array_api_compat.torch import ones_like as ones_like
from array_api_compat.torch import reshape as reshape
from array_api_compat.torch import sqrt as sqrt
from array_api_compat.torch import sum as sum  # noqa: A004
from array_api_compat.torch import where as where
from array_api_compat.torch import zeros_like as zeros_like
from torch import sign as sign
