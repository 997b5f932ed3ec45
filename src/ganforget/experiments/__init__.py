"""The paper's tables and figures as experiments: configurations, the numbers printed for them, and the comparison."""
