#include "agent/boot/boot_service.h"

#include <algorithm>
#include <utility>

#include "agent/boot/plan.h"
#include "agent/boot/render.h"
#include "agent/boot/values.h"
#include "common/base/log.h"
#include "common/template/template.h"

namespace farboot {

void BootService::warn_render(std::string_view what, const Error& error) const {
  if (const auto left_out = lines_.render_failed.take(clock_.steady()))
    log::error("boot.render_failed", log::kv("template", what), log::kv("error", error.what),
               log::kv("left_out", *left_out));
}

std::string BootService::first_script(std::string_view server) const {
  const auto snapshot = catalog_.active();
  return farboot::first_script(server, local_boot({}, snapshot ? &snapshot->release : nullptr));
}

std::string BootService::grub_first(std::string_view server) const {
  const auto snapshot = catalog_.active();
  return grub_first_script(server, local_boot({}, snapshot ? &snapshot->release : nullptr));
}

LocalBoot BootService::local_boot(const Variables& host, const Release* release) const {
  const Variables fleet = release == nullptr ? Variables() : release->variables;
  const SiteFacts site = hosts_.site();
  for (const Variables* variables : {&host, &site.variables, &fleet}) {
    const auto found = variables->find("local_boot");
    if (found == variables->end()) continue;
    auto local = parse_local_boot(found->second);
    if (local) return *local;
    warn_render("local_boot", local.error());
    break;
  }
  return {};
}

ScriptFrame BootService::frame(const Visit& visit, const HostView& view,
                               const Release* release) const {
  return {visit.server, visit.facts, local_boot(view.spec.variables, release)};
}

BootDecision BootService::decide(const Visit& visit, const HostView& view,
                                 const Release* release) const {
  return decide_boot({.host = view.known ? &view.spec : nullptr,
                      .install = view.install,
                      .limits = hosts_.limits(),
                      .attempt_entry = view.attempt ? view.attempt->entry : std::string_view(),
                      .release = release,
                      .buildarch = visit.facts.buildarch,
                      .installs_running = hosts_.running().named,
                      .installs_max = hosts_.installs_at_once_max(),
                      .elsewhere = view.elsewhere});
}

Task<std::string> BootService::boot_script(MachineFacts facts, std::string server, Asking asking) {
  const Answered answered = co_await answer(std::move(facts), std::move(server), asking);
  co_return render_ipxe(answered.frame, answered.answer);
}

Task<Result<std::string>> BootService::entry_script(MachineFacts facts, std::string entry,
                                                    std::string server, Asking asking) {
  const auto answered =
      co_await answer_entry(std::move(facts), std::move(entry), std::move(server), asking);
  if (!answered) co_return answered.error();
  co_return render_ipxe(answered->frame, answered->answer);
}

Task<Result<std::string>> BootService::grub_script(GrubAsk asked, std::string client,
                                                   std::string server, GrubRoot root,
                                                   Asking asking) {
  asked.facts.client = std::move(client);
  if (asked.entry.empty()) {
    const Answered told =
        co_await answer(std::move(asked.facts), std::move(server), asking, Asker::grub);
    co_return render_grub(told.frame, told.answer, root);
  }
  const auto told = co_await answer_entry(std::move(asked.facts), std::move(asked.entry),
                                          std::move(server), asking, Asker::grub);
  if (!told) co_return told.error();
  co_return render_grub(told->frame, told->answer, root);
}

Task<BootService::Answered> BootService::answer(MachineFacts facts, std::string server,
                                                Asking asking, Asker asker) {
  Visit visit{cleaned(std::move(facts)), std::move(server), asking, asker};
  const HostView view = hosts_.look(visit.machine());
  const auto snapshot = catalog_.active();  // ours to the end of this request
  const Release* release = snapshot ? &snapshot->release : nullptr;
  const BootDecision decision = decide(visit, view, release);
  if (asking == Asking::get) {
    if (const auto left_out = lines_.decided.of(view.known).take(clock_.steady()))
      log::info("boot.decided", log::kv("mac", visit.facts.mac), log::kv("host", view.spec.name),
                log::kv("boot", to_string(decision.kind)), log::kv("entry", decision.entry),
                log::kv("why", decision.why), log::kv("client", visit.facts.client),
                log::kv("left_out", *left_out));
  }
  if (decision.ends && asking == Asking::get) {
    // The disk is what it boots now, whether that could be written or not.
    auto ended = co_await hosts_.came_back(visit.machine());
    static_cast<void>(ended);
  }
  const ScriptFrame here = frame(visit, view, release);
  switch (decision.kind) {
    case BootKind::menu: co_return Answered{here, menu(visit, view, *release, decision)};
    case BootKind::local_disk: co_return Answered{here, LocalAnswer{decision.why}};
    case BootKind::wait: co_return Answered{here, WaitAnswer{decision.why, decision.patient, {}}};
    case BootKind::entry: break;
  }
  if (decision.begins || decision.repeats)
    co_return co_await start(std::move(visit), decision.entry, decision, std::string());
  const BootEntry* entry = release->entry(decision.entry);
  if (entry->kind == EntryKind::shell) co_return Answered{here, ShellAnswer{}};
  co_return load(visit, view, *release, *entry, {});
}

/// What start() would answer: of the same length, with the token of no attempt.
BootService::Answered BootService::preview(const Visit& visit, const HostView& view,
                                           const std::string& entry,
                                           const BootDecision& decision) const {
  if (decision.repeats && view.attempt)
    return load(visit, view, view.attempt->part, *view.attempt->part.entry(view.attempt->entry),
                view.attempt->token);
  const auto snapshot = catalog_.active();
  return load(visit, view, snapshot->release, *snapshot->release.entry(entry),
              std::string(kTokenDigits, '0'));
}

/// Who gives the kickstart, as the arguments have it: an operator's own `inst.ks=` takes the place
/// of ours.
HostBook::Kickstart BootService::kickstart_of(const Visit& visit, const Release& release,
                                              const std::string& name) const {
  const BootEntry* entry = release.entry(name);
  if (entry == nullptr) return HostBook::Kickstart::ours;
  const std::string token(kTokenDigits, '0');
  const auto plan = plan_entry(visit, hosts_.look(visit.machine()), release, *entry, token);
  return !plan || plan->arguments.find("/ks/" + token) != std::string::npos
             ? HostBook::Kickstart::ours
             : HostBook::Kickstart::elsewhere;
}

/// An order is not used up for what GRUB cannot start.
bool BootService::beyond_grub(const Visit& visit, const HostView& view,
                              const std::string& name) const {
  const auto snapshot = catalog_.active();
  const BootEntry* entry = snapshot ? snapshot->release.entry(name) : nullptr;
  if (visit.asker != Asker::grub || entry == nullptr) return false;
  const std::string token(kTokenDigits, '0');
  const auto plan = plan_entry(visit, view, snapshot->release, *entry, token);
  return plan && !grub_starts(visit.facts, *plan);
}

/// Begins or repeats an attempt; its script goes out only once that is on the card.
Task<BootService::Answered> BootService::start(Visit visit, std::string entry,
                                               BootDecision decision, std::string named) {
  const HostView before = hosts_.look(visit.machine());
  if (beyond_grub(visit, before, entry))
    co_return Answered{frame(visit, before, nullptr), TroubleAnswer{std::string(kBeyondGrub)}};
  if (visit.asking == Asking::head) co_return preview(visit, before, entry, decision);
  Result<std::shared_ptr<const Attempt>> attempt = std::shared_ptr<const Attempt>();
  if (decision.repeats) {
    attempt = co_await hosts_.again(visit.machine(), visit.facts.client);
  } else {
    HostBook::Begin order{visit.machine(), catalog_.active(), std::move(entry), !decision.begins,
                          visit.facts.client};
    if (order.snapshot) order.kickstart = kickstart_of(visit, order.snapshot->release, order.entry);
    attempt = co_await hosts_.begin(std::move(order));
  }
  const HostView view = hosts_.look(visit.machine());
  if (!attempt) {
    if (const auto left_out = lines_.start_refused.of(view.known).take(clock_.steady()))
      log::warn("boot.start_refused", log::kv("mac", visit.facts.mac),
                log::kv("error", attempt.error().what), log::kv("left_out", *left_out));
    co_return Answered{frame(visit, view, nullptr),
                       WaitAnswer{attempt.error().what, false, std::move(named)}};
  }
  const Release& part = (*attempt)->part;
  co_return load(visit, view, part, *part.entry((*attempt)->entry), (*attempt)->token);
}

Task<Result<BootService::Answered>> BootService::answer_entry(MachineFacts facts, std::string name,
                                                              std::string server, Asking asking,
                                                              Asker asker) {
  Visit visit{cleaned(std::move(facts)), std::move(server), asking, asker};
  std::string named = name;
  const bool confirmed = name.ends_with(kAgain);
  if (confirmed) name.resize(name.size() - kAgain.size());
  const HostView view = hosts_.look(visit.machine());
  const auto snapshot = catalog_.active();
  if (!snapshot) co_return fail(Errc::unavailable, "no release is active yet");
  const Release& release = snapshot->release;
  const BootEntry* entry = release.entry(name);
  if (entry == nullptr)
    co_return fail(Errc::not_found, "entry {}: not in release r{}", printable(name, 64),
                   release.number);
  if (asking == Asking::get) {
    if (const auto left_out = lines_.chosen.take(clock_.steady()))
      log::info("boot.chosen", log::kv("mac", visit.facts.mac), log::kv("host", view.spec.name),
                log::kv("entry", name), log::kv("client", visit.facts.client),
                log::kv("left_out", *left_out));
  }
  const ScriptFrame here = frame(visit, view, &release);
  if (entry->kind == EntryKind::local) co_return Answered{here, LocalAnswer{"chosen"}};
  if (entry->kind == EntryKind::shell) co_return Answered{here, ShellAnswer{}};
  if (entry->kind == EntryKind::tool) co_return load(visit, view, release, *entry, {});
  if (view.elsewhere)
    co_return Answered{here, LocalAnswer{"another agent of the site is to install it"}};

  if (!confirmed && needs_confirmation(view.install, hosts_.limits()))
    co_return Answered{here, ConfirmAnswer{entry->name, entry->title}};
  BootDecision decision{.kind = BootKind::entry, .entry = name};
  decision.repeats = install_answer(view.install, hosts_.limits()) == InstallAnswer::again &&
                     view.attempt && view.attempt->entry == name &&
                     view.attempt->release == snapshot->digest;
  const auto whose = view.known ? HostBook::Whose::named : HostBook::Whose::stranger;
  if (!decision.repeats && !hosts_.has_room(whose))
    co_return Answered{here, WaitAnswer{"as many installs are under way as this site runs at once",
                                        true, std::move(named)}};
  co_return co_await start(std::move(visit), std::move(name), std::move(decision),
                           std::move(named));
}

MenuPage BootService::menu(const Visit& visit, const HostView& view, const Release& release,
                           const BootDecision& decision) const {
  const SiteFacts site = hosts_.site();
  MenuPage page =
      plan_menu({visit.server, visit.facts, site, view.spec}, release,
                [this](std::string_view what, const Error& error) { warn_render(what, error); });
  page.default_local = decision.default_local;
  page.asks_first = needs_confirmation(view.install, hosts_.limits());
  return page;
}

Result<std::string> BootService::menu_script(MachineFacts facts, const std::string& menu,
                                             std::string server) const {
  const Visit visit{cleaned(std::move(facts)), std::move(server), Asking::head};
  const auto snapshot = catalog_.active();
  if (!snapshot) return fail(Errc::unavailable, "no release is active yet");
  const HostView view = hosts_.look(visit.machine());
  const SiteFacts site = hosts_.site();
  auto script = own_menu({visit.server, visit.facts, site, view.spec}, snapshot->release, menu);
  if (script || script.error().code == Errc::not_found) return script;
  warn_render(menu, script.error());
  return render_ipxe(frame(visit, view, &snapshot->release), TroubleAnswer{script.error().what});
}

/// An attempt is rendered with what it began with, as with the release it began under: names that a
/// later fleet renames are still there for it.
BootService::Facts BootService::facts_of(const HostView& view, std::string_view token) const {
  if (view.attempt && view.attempt->token == token && !view.attempt->site.name.empty())
    return {view.attempt->site, view.attempt->host};
  return {hosts_.site(), view.spec};
}

BootService::Answered BootService::load(const Visit& visit, const HostView& view,
                                        const Release& release, const BootEntry& entry,
                                        std::string_view token) const {
  const ScriptFrame here = frame(visit, view, &release);
  auto plan = plan_entry(visit, view, release, entry, token);
  if (plan) return {here, std::move(*plan)};
  warn_render(entry.name, plan.error());
  return {here, TroubleAnswer{plan.error().what}};
}

Result<LoadPlan> BootService::plan_entry(const Visit& visit, const HostView& view,
                                         const Release& release, const BootEntry& entry,
                                         std::string_view token) const {
  const Image* image = release.image(entry.image);
  const auto tree =
      image == nullptr ? std::shared_ptr<const Manifest>() : catalog_.tree(image->manifest);
  const auto [site, host] = facts_of(view, token);
  auto plan = plan_load({visit.server, visit.facts, site, host}, release, entry, tree.get(), token);
  if (plan && plan->arguments.size() > kArgumentsMax) {
    if (const auto left_out = lines_.arguments_long.take(clock_.steady()))
      log::warn("boot.arguments_long", log::kv("entry", entry.name),
                log::kv("bytes", plan->arguments.size()), log::kv("left_out", *left_out));
  }
  return plan;
}

Task<Result<std::string>> BootService::kickstart(KickstartAsk ask, std::string server,
                                                 Asking asking) {
  const std::size_t slash = ask.token.find('/');
  const std::string part = slash == std::string::npos ? "" : ask.token.substr(slash + 1);
  ask.token.resize(std::min(slash, ask.token.size()));
  const HostView view = hosts_.attempt(ask.token);
  if (!view.attempt ||
      (!part.empty() && part != "user-data" && part != "meta-data" && part != "vendor-data"))
    co_return fail(Errc::not_found, "kickstart: unknown or ended attempt");
  const Attempt& attempt = *view.attempt;
  const auto is_its = [&](const std::string& mac) {
    return mac == attempt.mac ||
           std::find(view.spec.macs.begin(), view.spec.macs.end(), mac) != view.spec.macs.end();
  };
  if (!ask.macs.empty() && std::none_of(ask.macs.begin(), ask.macs.end(), is_its)) {
    if (const auto left_out = lines_.kickstart_denied.take(clock_.steady()))
      log::warn("boot.kickstart_denied", log::kv("mac", ask.macs.front()),
                log::kv("host", view.spec.name), log::kv("client", ask.client),
                log::kv("left_out", *left_out));
    co_return fail(Errc::denied, "kickstart: of another machine");
  }
  const BootEntry* entry = attempt.part.entry(attempt.entry);
  const auto text = attempt.part.kickstarts.find(entry->kickstart);
  if (text == attempt.part.kickstarts.end())
    co_return fail(Errc::not_found, "kickstart: entry {} has none", entry->name);
  if (part == "meta-data") co_return fmt::format("instance-id: {}\n", attempt.token.substr(0, 16));
  if (part == "vendor-data") co_return std::string();

  const bool described = catalog_.find_tree(attempt.manifest, ".treeinfo").entry != nullptr ||
                         catalog_.find_tree(attempt.manifest, "treeinfo").entry != nullptr;
  const auto [site, host] = facts_of(view, attempt.token);
  const TemplateValues values =
      entry_values({server, site, host, attempt.mac, attempt.uuid, attempt.serial}, attempt.part,
                   *entry, attempt.token, described);
  auto rendered = render_template(text->second, values, partials_of(attempt.part));
  if (!rendered) {
    warn_render(text->first, rendered.error());
    co_return prefix(fmt::format("kickstart {}", text->first), rendered.error());
  }
  std::string out = as_kickstart(*rendered);
  if (asking == Asking::head) co_return out;
  if (const auto left_out = lines_.kickstart.take(clock_.steady()))
    log::info("boot.kickstart", log::kv("host", view.spec.name), log::kv("mac", attempt.mac),
              log::kv("entry", attempt.entry), log::kv("client", ask.client),
              log::kv("left_out", *left_out));
  auto written = co_await hosts_.kickstart_served(ask.token, ask.client);
  if (!written) co_return written.error();
  co_return out;
}

void BootService::on_fetched(std::string_view client, const CatalogFile& file) {
  hosts_.fetched(client, file);
}

Task<Result<void>> BootService::on_event(MachineEvent event) {
  HostBook::Report what = HostBook::Report::note;
  std::string detail = std::move(event.detail);
  if (event.event == "installed") {
    what = HostBook::Report::installed;
  } else if (event.event == "failed") {
    what = HostBook::Report::failed;
  } else {
    detail = detail.empty() ? event.event : event.event + ": " + detail;
  }
  co_return co_await hosts_.report(std::move(event.token), what, std::move(detail));
}

}  // namespace farboot
