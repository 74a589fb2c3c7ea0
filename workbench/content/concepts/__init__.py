"""The concepts behind the workbench, each explained in a few sentences and a drawing."""

from workbench.content.concepts.basics import BASICS
from workbench.content.concepts.concept import Concept
from workbench.content.concepts.convolution import CONVOLUTION
from workbench.content.concepts.data import DATA
from workbench.content.concepts.inside import INSIDE
from workbench.content.concepts.pretrained import PRETRAINED
from workbench.content.concepts.results import RESULTS
from workbench.content.concepts.training import TRAINING

__all__ = ["CONCEPTS", "Concept"]

# In the order in which a reader meets them.
CONCEPTS: dict[str, Concept] = {
    **BASICS,
    **DATA,
    **CONVOLUTION,
    **TRAINING,
    **PRETRAINED,
    **RESULTS,
    **INSIDE,
}
