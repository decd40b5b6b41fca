#include "proxy/net/control_reply.hpp"

extern "C" {
#include <hiredis/read.h>
}

namespace tidegate::net {
namespace {

// hiredis hands out C callbacks; nothing may throw through them.
struct budget {
  std::size_t bytes = 0;
  std::size_t elements = 0;
};

// Elements of an array are made with it, so that a nested reply is a place in its parent and the root owns all.
reply* place_of(const redisReadTask* task) {
  if (task->parent == nullptr) return new (std::nothrow) reply;
  auto* parent = static_cast<reply*>(task->parent->obj);
  return &parent->items[static_cast<std::size_t>(task->idx)];
}

void* create_text(const redisReadTask* task, char* text, std::size_t size) {
  reply* made = place_of(task);
  if (made == nullptr) return nullptr;
  made->what = task->type == REDIS_REPLY_ERROR    ? reply::kind::error
               : task->type == REDIS_REPLY_STATUS ? reply::kind::status
                                                  : reply::kind::text;
  made->text.assign(text, size);
  return made;
}

void* create_array(const redisReadTask* task, int size) {
  auto* left = static_cast<budget*>(task->privdata);
  if (size < 0 || left == nullptr || static_cast<std::size_t>(size) > left->elements) return nullptr;
  left->elements -= static_cast<std::size_t>(size);
  reply* made = place_of(task);
  if (made == nullptr) return nullptr;
  made->what = reply::kind::array;
  made->items.resize(static_cast<std::size_t>(size));
  return made;
}

void* create_integer(const redisReadTask* task, long long value) {
  reply* made = place_of(task);
  if (made == nullptr) return nullptr;
  made->what = reply::kind::integer;
  made->integer = value;
  return made;
}

void* create_nil(const redisReadTask* task) {
  return place_of(task);
}

void free_root(void* root) {
  delete static_cast<reply*>(root);
}

redisReplyObjectFunctions object_functions{create_text, create_array, create_integer, create_nil, free_root};

}  // namespace

struct reply_reader::state {
  redisReader* reader = redisReaderCreateWithFunctions(&object_functions);
  budget left;
  ~state() {
    if (reader != nullptr) redisReaderFree(reader);
  }
};

reply_reader::reply_reader() : state_(std::make_unique<state>()) {
  if (state_->reader == nullptr) throw std::bad_alloc();
  state_->reader->privdata = &state_->left;
  reset_bounds();
}

reply_reader::~reply_reader() = default;

void reply_reader::reset_bounds() noexcept {
  state_->left = {answer_bytes_max, answer_elements_max};
}

bool reply_reader::feed(std::string_view bytes) {
  if (bytes.size() > state_->left.bytes) return false;
  state_->left.bytes -= bytes.size();
  return redisReaderFeed(state_->reader, bytes.data(), bytes.size()) == REDIS_OK;
}

std::expected<std::optional<reply>, std::string> reply_reader::next() {
  void* root = nullptr;
  if (redisReaderGetReply(state_->reader, &root) != REDIS_OK) {
    return std::unexpected(std::string("not a reply that can be read: ") + state_->reader->errstr);
  }
  if (root == nullptr) return std::optional<reply>();
  const std::unique_ptr<reply> owned(static_cast<reply*>(root));
  return std::optional<reply>(std::move(*owned));
}

}  // namespace tidegate::net
