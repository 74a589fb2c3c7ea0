"""What can be seen inside a trained network."""

from workbench.content.concepts.concept import by_name, concept

INSIDE = by_name(
    concept(
        "activation",
        "What a layer answers to an image",
        """
        A channel of a layer is one filter's answer: bright where it found its pattern. Low layers
        keep nearly the whole image, as edges and colours; higher ones give up what the image
        looks like for what is in it, and more of their channels stay dark. One that is zero
        everywhere did not find its pattern; one that is so for every image is wasted. Each is
        scaled by itself, so brightness compares places, not channels.
        """,
        """
 image         channel 3     channel 7     channel 9
┌─────────┐   ┌─────────┐   ┌─────────┐   ┌─────────┐
│  ╭──╮   │   │  ▒▒▒▒   │   │ █    █  │   │         │
│  │  │   │   │         │   │ █    █  │   │         │
│  ╰──╯   │   │  ▒▒▒▒   │   │ █    █  │   │         │
└─────────┘   └─────────┘   └─────────┘   └─────────┘
               lying edges   standing      dead
        """,
    ),
    concept(
        "receptive-field",
        "How much of the image a value sees",
        """
        A value of the first 3x3 convolution depends on 3x3 pixels. A second one reads 3x3 of
        those, 5x5 pixels together; after a pooling each step up counts double. That is the
        receptive field: size + (window - 1) x jump, the jump being the product of all strides
        below. A layer cannot know what is larger than its field. At the end of VGG16 a value sees
        212x212 pixels, and its neighbour those 32 further on.
        """,
        """
 VGG16          sees   jump
 block1_conv1      3      1   ▏
 block1_pool       6      2   ▎
 block2_pool      16      4   █
 block3_pool      44      8   ██▊
 block4_pool     100     16   ██████▎
 block5_pool     212     32   █████████████▎
        """,
    ),
    concept(
        "grad-cam",
        "Where an image speaks for a class",
        """
        Grad-CAM asks how the score of a class would rise if a channel of a late layer were
        stronger: that gradient, its mean over the map, is the channel's weight. The weighted
        channels add up to one map, of which only what speaks for the class is kept. A cat found
        by the carpet under it shows up here: right for the wrong reason. The map is as coarse as
        the layer, 14x14 for VGG16, and is scaled by itself: it compares places, not images.
        """,
        """
 channel 1   ▒▒··    weight  0.9  ┐           ▒▓··
             ▒█··                 ├→  sum  →  ▓█··
 channel 2   ·▒··    weight  0.4  │           ····
             ····                 │
 channel 3   ···█    weight -0.7  ┘   below 0 is cut
        """,
    ),
)
