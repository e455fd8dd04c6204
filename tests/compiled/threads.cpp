// What threads of the library share, for the thread sanitizer: `make sanitize` runs this.
// It fails if the number of threads changes a bit of a network.

#include <cstdio>
#include <functional>
#include <thread>

#include "../../skreg/compiled/src/engine.h"

namespace {

using namespace skreg;

// Classifiers with one or several models, and all that their plan points to. Rows,
// inputs and units are no multiples of anything.
class Networks {
  public:
    explicit Networks(Index n_models) : settings_(n_models), orders_(n_models) {
        std::vector<std::pair<Index, Index>> shapes;
        for (Index l = 0; l < 3; ++l) shapes.push_back({sizes_[l], sizes_[l + 1]});
        for (Index l = 0; l < 3; ++l) shapes.push_back({1, sizes_[l + 1]});
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
        plan.sizes = sizes_, plan.activation = relu, plan.loss = log_loss, plan.is_adam = 1;
        plan.parameters = parameters_.data(), plan.group_rows = 1;
        plan.n_parameters = static_cast<Index>(parameters_.size());
        plan.x = x, plan.y = y, plan.batch_size = batch_size, plan.models = settings_.data();
    }

    Plan plan{};

    // Begin another epoch, with other random numbers.
    void next_epoch() {
        for (ModelSettings& s : settings_) ++s.epoch, s.n_steps += as_double(s.n_batches);
    }

    bool operator==(const Networks& other) const { return numbers_ == other.numbers_; }

  private:
    static constexpr Index n_rows = 331, batch_size = 97;
    const std::int64_t sizes_[4] = {13, 71, 37, 5};
    std::vector<std::vector<float>> numbers_;
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

void in_threads(Index n_threads, const std::function<void(Index)>& work) {
    std::vector<std::thread> threads;
    for (Index i = 0; i < n_threads; ++i) threads.emplace_back(work, i);
    for (std::thread& thread : threads) thread.join();
}

// Threads take the steps of one network together.
void steps(Networks& networks, Index n_threads) {
    Plan& plan = networks.plan;
    std::unique_ptr<Training> training = training_of(plan, n_threads);
    shuffle(plan, 0);
    training->open(0);
    double loss = 0;
    for (Index i = 0; i < plan.models[0].n_batches; i += 2) {
        Index last = std::min<Index>(i + 2, plan.models[0].n_batches);
        in_threads(n_threads, [&](Index t) { training->work(t, i, last, loss); });
    }
    training->close();
}

// Threads claim networks, in calls that end in the middle of an epoch.
void models(Networks& networks, Index n_threads) {
    std::vector<double> losses(networks.plan.n_models);
    std::atomic<std::int64_t> next_model{0};
    in_threads(n_threads, [&](Index) {
        std::int64_t mine[2] = {-1, 0};
        while (!train(networks.plan, next_model, mine, 1e-4, losses.data())) continue;
    });
}

bool agrees(Index n_models, void (*train)(Networks&, Index)) {
    Networks alone(n_models), shared(n_models);
    for (int epoch = 0; epoch < 20; ++epoch) {
        train(alone, 1), train(shared, 4);
        alone.next_epoch(), shared.next_epoch();
    }
    return alone == shared;
}

}  // namespace

int main() {
    bool same_steps = agrees(1, steps), same_models = agrees(7, models);
    std::printf("steps: %s\nmodels: %s\n", same_steps ? "same" : "differ",
                same_models ? "same" : "differ");
    return !(same_steps && same_models);
}
