// What threads of the library share, for the thread sanitizer: `make sanitize` runs this.
// It fails if the number of threads changes a bit of a network.

#include <cstdio>
#include <tuple>

#include "../../skreg/compiled/src/crew.h"

namespace {

using namespace skreg;

// Classifiers with one or several models, and all that their plan points to. Rows,
// inputs and units are no multiples of anything.
class Networks {
  public:
    struct Kind {
        const char* name;
        bool is_adam;
        Norm norm;
        double group_l1;
    };
    static constexpr Kind kinds[] = {{"plain", true, no_norm, 0},
                                     {"normalised before, groups", true, norm_before, 1e-3},
                                     {"normalised after, groups", false, norm_after, 1e-3}};

    Networks(Index n_models, const Kind& kind) : settings_(n_models), orders_(n_models) {
        layers_[0].group_l1 = kind.group_l1;
        std::vector<std::pair<Index, Index>> shapes;
        for (Index l = 0; l < 3; ++l) shapes.push_back({sizes_[l], sizes_[l + 1]});
        for (Index l = 0; l < 3; ++l) shapes.push_back({1, sizes_[l + 1]});
        for (Index part = 0; kind.norm && part < 2; ++part)
            for (Index l = 0; l < 2; ++l) shapes.push_back({1, sizes_[l + 1]});
        for (Index l = 0; kind.norm && l < 2; ++l)
            for (auto* to : {&means_, &variances_, &average_means_, &average_variances_})
                to->push_back(numbers(n_models * sizes_[l + 1], 0));
        for (std::size_t i = 0; i < shapes.size(); ++i) {
            Index height = shapes[i].first, width = shapes[i].second;
            auto tensor = [&](double scale) {
                return numbers(n_models * height * width, scale);
            };
            parameters_.push_back({height, width, i < 3, 0, tensor(0.1), tensor(0), tensor(0),
                                   tensor(0), tensor(0), nullptr});
        }
        for (Index j = 0; j < n_rows; ++j) rows_.push_back(j);
        for (Index m = 0; m < n_models; ++m) set(settings_[m], m);
        float *x = numbers(n_rows * sizes_[0], 1), *y = numbers(n_rows * sizes_[3], 0);
        for (Index i = 0; i < n_rows; ++i) y[i * sizes_[3] + i % sizes_[3]] = 1;
        plan.n_models = n_models, plan.n_hidden = 2, plan.n_inputs = sizes_[0];
        plan.sizes = sizes_, plan.activation = relu, plan.loss = log_loss;
        plan.is_adam = kind.is_adam, plan.norm = kind.norm;
        if (kind.norm) {
            plan.means = means_.data(), plan.variances = variances_.data();
            plan.average_means = average_means_.data();
            plan.average_variances = average_variances_.data();
        }
        plan.parameters = parameters_.data(), plan.group_rows = 1;
        plan.n_parameters = static_cast<Index>(parameters_.size());
        plan.x = x, plan.y = y, plan.batch_size = batch_size, plan.models = settings_.data();
    }

    Plan plan{};

    // Begin another epoch, with other random numbers.
    void next_epoch() {
        for (ModelSettings& s : settings_) ++s.epoch, s.n_steps += as_double(s.n_batches);
    }

    void note(const std::vector<double>& losses) { losses_.push_back(losses); }

    bool operator==(const Networks& other) const {
        return numbers_ == other.numbers_ && losses_ == other.losses_;
    }

  private:
    static constexpr Index n_rows = 331, batch_size = 97;
    const std::int64_t sizes_[4] = {13, 71, 37, 5};
    std::vector<std::vector<float>> numbers_;
    std::vector<std::vector<double>> losses_;
    std::vector<void*> means_, variances_, average_means_, average_variances_;
    std::vector<Parameter> parameters_;
    std::vector<LayerSettings> layers_ = {{1e-4, 1e-4, 0, 1.0, 0, 9999},
                                          {1e-4, 0, 0, 2.0, 0, 6000},
                                          {0, 1e-3, 0, INFINITY, 0, 0}};
    std::vector<ModelSettings> settings_;
    std::vector<std::int64_t> rows_;
    std::vector<std::vector<std::int64_t>> orders_;

    float* numbers(Index n, double scale) {
        std::vector<float>& found = numbers_.emplace_back(n);
        const Word key[2] = {numbers_.size(), 7};
        std::vector<Word> words(n);
        Stream(key, 0, 0).words(0, n, words.data());
        for (Index i = 0; i < n; ++i) found[i] = static_cast<float>(normal(words[i]) * scale);
        return found.data();
    }

    void set(ModelSettings& s, Index model) {
        s = {};
        s.lr = 0.01, s.beta_1 = 0.9, s.beta_2 = 0.999, s.epsilon = 1e-8;
        s.clip_norm = INFINITY, s.ema_decay = 0.9, s.input_noise = 0.1, s.input_dropout = 9999;
        s.key[0] = static_cast<Word>(model), s.n_rows = n_rows;
        s.n_batches = (n_rows + batch_size - 1) / batch_size;
        orders_[model].resize(n_rows);
        s.rows = rows_.data(), s.order = orders_[model].data(), s.layers = layers_.data();
    }
};

// Threads go over the networks, in calls that end in the middle of an epoch.
void work(Networks& networks, Index n_teams, Index n_threads, Task task) {
    std::vector<double> losses(networks.plan.n_models);
    Crew crew(networks.plan, n_teams, n_threads, task);
    bool begins = true;
    while (crew.work(begins, 1e-4, losses.data())) begins = false;
    networks.note(losses);
}

// Whether some teams of some threads give the same bits as one thread.
bool agrees(Index n_models, Index n_teams, Index n_threads, const Networks::Kind& kind) {
    Networks alone(n_models, kind), shared(n_models, kind);
    for (Task task : {Task::train, Task::differentiate, Task::evaluate})
        for (int epoch = 0; epoch < 7; ++epoch) {
            work(alone, 1, 1, task), work(shared, n_teams, n_threads, task);
            alone.next_epoch(), shared.next_epoch();
        }
    bool same = alone == shared;
    std::printf("%s, teams: %d, threads: %d: %s\n", kind.name, static_cast<int>(n_teams),
                static_cast<int>(n_threads), same ? "same" : "differ");
    return same;
}

}  // namespace

int main() {
    bool same = true;
    for (const Networks::Kind& kind : Networks::kinds)
        for (auto [models, teams, threads] : {std::tuple<Index, Index, Index>{1, 1, 4},
                                              {7, 4, 1}, {3, 2, 2}})
            same &= agrees(models, teams, threads, kind);
    return !same;
}
