"""How long the katas take, as ratios that do not depend on the machine: see README.md."""
