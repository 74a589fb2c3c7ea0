"""The workbench itself, and the machine it stands on."""

from workbench.content.concepts.concept import by_name, concept

BASICS = by_name(
    concept(
        "workbench",
        "The steps from images to a classifier",
        """
        An experiment goes through a few steps, and each answers one question. The machine: does
        training run on a GPU here? The data: are the images sound, and which are held back? The
        strategy: a network of your own, or one that has already seen a million images? The
        layers: which of them may learn? Training then draws the curves as they grow, and the
        results tell what they are worth. It runs in a process of its own: close the laptop and
        it goes on.
        """,
        """
machine → data → strategy → layers → train → results
   │       │         │         │       │        │
 a GPU?  sound?   whose      which   still   how good,
         split?   features?  learn?  gains?  how sure?
        """,
    ),
    concept(
        "machine",
        "Why a GPU, and what the check asks",
        """
        Training is mostly multiplying and adding: VGG16 does it 6.6 billion times to look at one
        image of 150x150 pixels. A GPU does thousands of these at once, a processor only a few.
        Yet a GPU in the box is often not used: a driver, a container, a missing library, a
        variable, or somebody else's program in its memory stands in the way. The framework then
        trains on the processor, slowly and without an error. So the check asks from the card
        upward, each question in a process that may crash or hang, and trains one step for a
        trial. It names the lowest cause first, with one line that mends it.
        """,
        """
 a trained step   ↑  does it compute, and how fast?
 framework        │  does it see the GPU?
 CUDA libraries   │  are they there, and do they load?
 driver           │  does it answer, for which CUDA?
 card             │  is it sound, who holds its memory?
        """,
    ),
)
