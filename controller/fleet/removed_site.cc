#include "controller/fleet/removed_site.h"

namespace farboot {
namespace {

std::string removed_key(std::string_view site) { return "removed-site/" + std::string(site); }

}  // namespace

Result<Site> removed_site(const StateStore& state, std::string_view name) {
  const auto entry = state.get(removed_key(name));
  if (!entry) return entry.error();
  if (*entry) return decode_site(name, (*entry)->value);
  Site site;
  site.name = name;
  return site;
}

void remember_removed(Transaction& transaction, const Site& site) {
  Site remembered;
  remembered.name = site.name;
  remembered.orders = site.orders;
  remembered.done = site.done;
  transaction.put(removed_key(site.name), encode_site(remembered));
}

}  // namespace farboot
