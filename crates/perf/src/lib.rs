//! The clock of a run: histograms, throughput, fairness, thresholds and gates.
