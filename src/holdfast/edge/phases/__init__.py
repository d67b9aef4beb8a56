"""The phases of `decide`, one a module. Their order is `decide.PHASES`; what they have in common is `view.Phase`."""
