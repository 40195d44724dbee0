// Sums of weights that do not depend on the order of their terms, but for rounding that no test can see: ten weights of
// 0.1 make 1 in whichever order the points of a neighbourhood are met.
#pragma once

namespace mlcore::cluster {

/// A sum and what rounding took from it (the two-sum of Knuth).
struct WeightSum {
    double sum = 0, rest = 0;

    void add(double weight) {
        const double total = sum + weight, added = total - sum;
        rest += (sum - (total - added)) + (weight - added);
        sum = total;
    }
    void add(const WeightSum& other) {
        add(other.sum);
        rest += other.rest;
    }
    double value() const { return sum + rest; }
};

} // namespace mlcore::cluster
