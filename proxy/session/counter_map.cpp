#include "proxy/session/counter_map.hpp"

#include <array>

namespace tidegate::session {

namespace {
constexpr std::uint32_t chunk_cells = 256;
constexpr std::uint32_t chunks_max = counter_map::keys_max / chunk_cells;
constexpr std::uint32_t empty_place = 0xffffffffU;

std::size_t mix(std::uint64_t key) noexcept {
  key ^= key >> 33;
  key *= 0xff51afd7ed558ccdULL;
  key ^= key >> 33;
  return static_cast<std::size_t>(key);
}
}  // namespace

struct counter_map::cells {
  struct cell {
    std::uint64_t key = 0;
    attribution::single_writer_counter value;
  };
  using chunk = std::array<cell, chunk_cells>;

  // Readers see cell n only after `size` passed n (release/acquire), and its chunk pointer was written before.
  std::array<std::atomic<chunk*>, chunks_max> chunks{};
  std::atomic<std::uint32_t> size{0};
  std::vector<std::uint32_t> places;  // the worker's own: hash -> cell number

  [[nodiscard]] cell& get(std::uint32_t number) const noexcept {
    return (*chunks[number / chunk_cells].load(std::memory_order_relaxed))[number % chunk_cells];
  }
  [[nodiscard]] std::size_t place_of(std::uint64_t key) const noexcept {
    const std::size_t mask = places.size() - 1;
    std::size_t place = mix(key) & mask;
    while (places[place] != empty_place && get(places[place]).key != key) place = (place + 1) & mask;
    return place;
  }
  void grow() {
    std::vector<std::uint32_t> old = std::move(places);
    places.assign(old.empty() ? 64 : old.size() * 2, empty_place);
    for (const std::uint32_t number : old) {
      if (number != empty_place) places[place_of(get(number).key)] = number;
    }
  }
};

counter_map::counter_map() : cells_(std::make_unique<cells>()) {
  cells_->grow();
}

counter_map::~counter_map() {
  for (auto& chunk : cells_->chunks) delete chunk.load(std::memory_order_relaxed);
}

attribution::single_writer_counter& counter_map::at(std::uint64_t key) noexcept {
  std::size_t place = cells_->place_of(key);
  if (cells_->places[place] != empty_place) return cells_->get(cells_->places[place]).value;

  const std::uint32_t number = cells_->size.load(std::memory_order_relaxed);
  if (number + 1 >= keys_max && key != 0) return at(0);  // one cell is kept for what overflows
  if (number % chunk_cells == 0) {
    cells_->chunks[number / chunk_cells].store(new cells::chunk, std::memory_order_relaxed);
  }
  cells_->get(number).key = key;
  cells_->size.store(number + 1, std::memory_order_release);
  if (2 * (number + 1) > cells_->places.size()) {
    cells_->grow();
    place = cells_->place_of(key);
  }
  cells_->places[place] = number;
  return cells_->get(number).value;
}

void counter_map::read(const std::function<void(std::uint64_t key, std::uint64_t value)>& visit) const {
  const std::uint32_t size = cells_->size.load(std::memory_order_acquire);
  for (std::uint32_t number = 0; number < size; ++number) {
    const cells::cell& cell = cells_->get(number);
    visit(cell.key, cell.value.load());
  }
}

}  // namespace tidegate::session
