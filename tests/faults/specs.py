"""The two experiments of the fault cases, small enough for sessions of seconds."""

# Dropout, augmentation, a schedule, early stopping, averaged weights, mixed images and the best
# epoch are all in use: if a resumed session lost any of their state, the last bits of the weights
# would differ.
SMALL = """
[data]
source = "{photos}"
image_size = [16, 16]
channels = 3

[data.split]
train = 0.5
validation = 0.25
test = 0.25

[augmentation]
rotation = 20.0
width_shift = 0.1
horizontal_flip = true
random_crop = 0.8
mixup = 0.1
cutmix = 0.1

[model]
strategy = "convnet"
filters = [4, 8]
padding = "same"
dense_units = [8]
dropout = 0.3

[training]
optimizer = "adam"
learning_rate = 0.03
schedule = "plateau"
ema = 0.5
batch_size = 4
epochs = 8
early_stopping = 4
keep = "best"
gpu = "none"
deterministic = true
"""

# Two stages on a frozen prefix, whose augmented views are computed once and cached.
FULL = """
[data]
source = "{photos}"
image_size = [32, 32]
channels = 3

[data.split]
train = 0.5
validation = 0.25
test = 0.25

[augmentation]
rotation = 20.0
horizontal_flip = true

[base]
name = "mobilenetv2-0.35"
weights = "random"
trainable = ["top"]
views = 2

[model]
strategy = "fine-tuning"
dense_units = [8]
dropout = 0.3

[training]
optimizer = "adamw"
weight_decay = 0.05
layer_decay = 0.7
learning_rate = 0.001
schedule = "cosine"
warmup_epochs = 0.5
batch_size = 4
head_epochs = 2
epochs = 3
early_stopping = 2
keep = "best"
gpu = "none"
deterministic = true
"""

# The epochs are fitted before the first step, and written into the run's spec.
TIMED = f'{SMALL}time_budget = "9d"\n'

SPECS = {"small": SMALL, "full": FULL, "timed": TIMED}
IMAGES_OF_A_CLASS = 14
STEPS = 4  # of an epoch: 14 of 28 images, 4 at a time
HEAD_EPOCHS = 2  # of the first stage of "full"
