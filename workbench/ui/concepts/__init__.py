"""The concepts behind the workbench, each explained in a few sentences and a drawing."""

from workbench.ui.concepts.basics import BASICS
from workbench.ui.concepts.concept import Concept
from workbench.ui.concepts.convolution import CONVOLUTION
from workbench.ui.concepts.data import DATA
from workbench.ui.concepts.inside import INSIDE
from workbench.ui.concepts.pretrained import PRETRAINED
from workbench.ui.concepts.results import RESULTS
from workbench.ui.concepts.training import TRAINING

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
