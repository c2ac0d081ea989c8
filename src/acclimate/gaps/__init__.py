"""How far apart two domains are: arrays in, a `Gap` out; nothing of ours is fitted."""
