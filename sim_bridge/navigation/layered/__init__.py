"""Free floor on several levels that stairs, ramps or steps connect: a stack of spans at every node of the plan."""
