#include "config/wipe.hpp"

#include <gtest/gtest.h>

#include <new>
#include <optional>

#include "config/config.hpp"

namespace tidegate::config {
namespace {

TEST(Wipe, LeavesNothingOfTheTextInItsPlace) {
  std::string text(100, 's');
  const char* const place = text.data();
  wipe(text);
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(std::string_view(place, 100), std::string(100, '\0'));
}

// Short enough to lie in the object itself, whose bytes can be looked at when it is gone.
template <class Holder>
bool keeps_the_secret_when_it_dies(std::string Holder::* secret) {
  alignas(Holder) unsigned char place[sizeof(Holder)];
  auto* made = new (place) Holder{};
  made->*secret = "canary-8127";
  Holder copy = *made;
  made->~Holder();
  EXPECT_EQ(copy.*secret, "canary-8127");
  const volatile unsigned char* bytes = place;
  std::string left;
  for (std::size_t at = 0; at < sizeof(Holder); ++at) left += static_cast<char>(bytes[at]);
  return left.contains("canary");
}

TEST(Wipe, IsDoneByWhateverHoldsASecret) {
  EXPECT_FALSE(keeps_the_secret_when_it_dies(&credentials::password));
  EXPECT_FALSE(keeps_the_secret_when_it_dies(&user::password));
  EXPECT_FALSE(keeps_the_secret_when_it_dies(&admin::token));
}

}  // namespace
}  // namespace tidegate::config
