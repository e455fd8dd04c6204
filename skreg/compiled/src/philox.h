// The random words of `skreg.data.random_streams`, and what is made of them.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>

#include "vectors.h"

namespace skreg {

using Word = std::uint64_t;

// Philox4x64-10: Salmon, Moraes, Dror and Shaw 2011, "Parallel Random Numbers: As Easy
// as 1, 2, 3".
inline std::array<Word, 4> philox(std::array<Word, 4> counter, std::array<Word, 2> key) {
    for (int round = 0; round < 10; ++round) {
        auto first = static_cast<unsigned __int128>(0xD2E7470EE14C6C93) * counter[0];
        auto second = static_cast<unsigned __int128>(0xCA5A826395121157) * counter[2];
        counter = {static_cast<Word>(second >> 64) ^ counter[1] ^ key[0],
                   static_cast<Word>(second),
                   static_cast<Word>(first >> 64) ^ counter[3] ^ key[1],
                   static_cast<Word>(first)};
        key[0] += 0x9E3779B97F4A7C15;
        key[1] += 0xBB67AE8584CAA73B;
    }
    return counter;
}

// The words of one purpose in one epoch.
struct Stream {
    Stream() = default;
    Stream(const Word* seed, Word number, Word use)
        : key{seed[0], seed[1]}, epoch(number), purpose(use) {}

    std::array<Word, 2> key;
    Word epoch, purpose;

    // Write `n` words from number `first` on.
    void words(Word first, Index n, Word* out) const {
        for (; n > 0 && first % 4; --n, ++first) *out++ = block(first / 4)[first % 4];
        for (; n >= 4; n -= 4, first += 4, out += 4) {
            std::array<Word, 4> four = block(first / 4);
            std::memcpy(out, four.data(), sizeof(four));
        }
        if (n > 0) std::memcpy(out, block(first / 4).data(), n * sizeof(Word));
    }

    std::array<Word, 4> block(Word i) const {
        return philox({1 + i, 0, epoch, purpose}, key);
    }
};

// Sort rows by their words, stably. The words are uniform, so that a bucket for each
// leaves little to do.
inline void random_order(Stream stream, Index n, std::int64_t* order) {
    struct Item {
        Word key;
        std::int64_t row;
    };
    std::unique_ptr<Word[]> keys(new Word[n]);
    std::unique_ptr<Item[]> items(new Item[n]);
    std::unique_ptr<Index[]> ends(new Index[n + 1]());
    stream.words(0, n, keys.get());
    // Of the first 32 bits, which order words like all of them.
    auto bucket = [n](Word key) { return static_cast<Index>((key >> 32) * n >> 32); };
    for (Index i = 0; i < n; ++i) ++ends[bucket(keys[i]) + 1];
    for (Index i = 0; i < n; ++i) ends[i + 1] += ends[i];
    for (Index i = 0; i < n; ++i) items[ends[bucket(keys[i])]++] = {keys[i], i};
    for (Index i = 1; i < n; ++i) {
        Item item = items[i];
        Index j = i;
        for (; j > 0 && items[j - 1].key > item.key; --j) items[j] = items[j - 1];
        items[j] = item;
    }
    for (Index i = 0; i < n; ++i) order[i] = items[i].row;
}

// The quantile of the normal distribution: Wichura 1988, "Algorithm AS 241: The
// Percentage Points of the Normal Distribution".
inline double ratio(const double* above, const double* below, double r) {
    double numerator = above[0], denominator = below[0];
    for (int k = 1; k < 8; ++k) {
        numerator = numerator * r + above[k];
        denominator = denominator * r + below[k];
    }
    return numerator / denominator;
}

inline double normal_quantile(double p) {
    static const double middle[2][8] = {
        {2509.0809287301226727, 33430.575583588128105, 67265.770927008700853,
         45921.953931549871457, 13731.693765509461125, 1971.5909503065514427,
         133.14166789178437745, 3.387132872796366608},
        {5226.495278852854561, 28729.085735721942674, 39307.89580009271061,
         21213.794301586595867, 5394.1960214247511077, 687.1870074920579083,
         42.313330701600911252, 1.0}};
    static const double near[2][8] = {
        {7.7454501427834140764e-4, 2.27238449892691845833e-2, 2.4178072517745061177e-1,
         1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055,
         4.6303378461565452959, 1.42343711074968357734},
        {1.05075007164441684324e-9, 5.475938084995344946e-4, 1.51986665636164571966e-2,
         1.4810397642748007459e-1, 6.8976733498510000455e-1, 1.6763848301838038494,
         2.05319162663775882187, 1.0}};
    static const double far[2][8] = {
        {2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
         2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580,
         5.46378491116411436990, 6.65790464350110377720},
        {2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
         7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
         5.99832206555887937690e-1, 1.0}};
    double q = p - 0.5;
    if (std::fabs(q) <= 0.425) return q * ratio(middle[0], middle[1], 0.180625 - q * q);
    double r = std::sqrt(-std::log(q <= 0 ? p : 1 - p));
    double x = r <= 5 ? ratio(near[0], near[1], r - 1.6) : ratio(far[0], far[1], r - 5);
    return q < 0 ? -x : x;
}

// As `Streams.normal`.
inline double normal(Word word) {
    constexpr double unit = 1.0 / 9007199254740992.0;
    double uniform = (static_cast<double>(word >> 11) + 0.5) * unit;
    return normal_quantile(std::min(uniform, 1 - unit));
}

}  // namespace skreg
