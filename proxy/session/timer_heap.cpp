#include "proxy/session/timer_heap.hpp"

#include <utility>

namespace tidegate::session {

void timer_heap::place(std::size_t index, timed* item) noexcept {
  heap_[index] = item;
  item->heap_index = index;
}

void timer_heap::up(std::size_t index) noexcept {
  timed* item = heap_[index];
  while (index > 0 && item->deadline < heap_[(index - 1) / 2]->deadline) {
    place(index, heap_[(index - 1) / 2]);
    index = (index - 1) / 2;
  }
  place(index, item);
}

void timer_heap::down(std::size_t index) noexcept {
  timed* item = heap_[index];
  for (std::size_t child = 2 * index + 1; child < heap_.size(); child = 2 * index + 1) {
    if (child + 1 < heap_.size() && heap_[child + 1]->deadline < heap_[child]->deadline) ++child;
    if (item->deadline <= heap_[child]->deadline) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, item);
}

void timer_heap::set(timed& item, steady_ns deadline) {
  if (deadline == never) {
    cancel(item);
    return;
  }
  item.deadline = deadline;
  if (item.heap_index == SIZE_MAX) {
    heap_.push_back(&item);
    item.heap_index = heap_.size() - 1;
    up(item.heap_index);
    return;
  }
  const std::size_t index = item.heap_index;
  up(index);
  down(item.heap_index);
}

void timer_heap::cancel(timed& item) noexcept {
  item.deadline = never;
  const std::size_t index = item.heap_index;
  if (index == SIZE_MAX) return;
  item.heap_index = SIZE_MAX;
  timed* last = heap_.back();
  heap_.pop_back();
  if (last == &item) return;
  place(index, last);
  up(index);
  down(last->heap_index);
}

timed* timer_heap::pop_due(steady_ns now) noexcept {
  if (heap_.empty() || heap_.front()->deadline > now) return nullptr;
  timed* item = heap_.front();
  cancel(*item);
  return item;
}

}  // namespace tidegate::session
