"""How quickly this machine trains: tokens a second and model FLOP utilisation against their target."""
