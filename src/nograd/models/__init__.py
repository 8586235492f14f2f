"""Networks as pairs of pure functions. `apply` returns logits; a softmax belongs to the fitness."""

from nograd.models.adapters.base import adopt as adopt
from nograd.models.adapters.equinox import from_equinox as from_equinox
from nograd.models.adapters.flax import from_flax as from_flax
from nograd.models.adapters.keras import from_keras as from_keras
from nograd.models.adapters.torch import from_torch as from_torch
from nograd.models.base import Builder as Builder
from nograd.models.base import Model as Model
from nograd.models.base import Shape as Shape
from nograd.models.check import build_model as build_model
from nograd.models.check import build_policy as build_policy
from nograd.models.int8 import mlp_int8 as mlp_int8
from nograd.models.mlp import cnn as cnn
from nograd.models.mlp import linear2 as linear2
from nograd.models.mlp import mlp as mlp
from nograd.models.mlp import mlp_linear as mlp_linear
from nograd.models.oriented import oriented as oriented
from nograd.models.recurrent import gru as gru
from nograd.models.recurrent import lstm as lstm
from nograd.models.registry import is_built_in as is_built_in
from nograd.models.registry import is_policy as is_policy
from nograd.models.registry import parse_model as parse_model
from nograd.models.registry import parse_policy as parse_policy
from nograd.models.sign import mlp_sign as mlp_sign
from nograd.models.spiking import mlp_spiking as mlp_spiking
