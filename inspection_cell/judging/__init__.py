"""From defects and views to reasons: limits, severity rules, what lacks for a proof."""
