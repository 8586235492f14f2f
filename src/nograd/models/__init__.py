"""Networks as pairs of pure functions. `apply` returns logits; a softmax belongs to the fitness."""

from nograd.models.builtin import cnn as cnn
from nograd.models.builtin import linear2 as linear2
from nograd.models.builtin import mlp as mlp
from nograd.models.check import build_model as build_model
from nograd.models.equinox_models import from_equinox as from_equinox
from nograd.models.flax_models import from_flax as from_flax
from nograd.models.int8 import mlp_int8 as mlp_int8
from nograd.models.keras_models import from_keras as from_keras
from nograd.models.model import Builder as Builder
from nograd.models.model import Model as Model
from nograd.models.model import Shape as Shape
from nograd.models.oriented import oriented as oriented
from nograd.models.outside import adopt as adopt
from nograd.models.policies import is_policy as is_policy
from nograd.models.policies import parse_policy as parse_policy
from nograd.models.sign import mlp_sign as mlp_sign
from nograd.models.spiking import mlp_spiking as mlp_spiking
from nograd.models.words import is_built_in as is_built_in
from nograd.models.words import parse_model as parse_model
