//! Landlock, by its own crate. A path that is opened for a rule names whatever is there then: a folder that is mounted anew later is another
//! one, and needs a rule on the folder that it is mounted in.

use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, make_bitflags,
};

use super::{ConfineError, Confined, Places};

/// Files read and folders listed.
const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});
/// What the store does: no devices, sockets, pipes or symlinks are made, and nothing is executed.
const WRITE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    ReadFile | ReadDir | WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
});
/// What is asked of a file rather than a folder.
const OF_FILES: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | WriteFile | Truncate});

/// Before ABI 2 (Linux 5.19) a confined process could rename no file into another folder, which is how every upload becomes visible.
const LEAST: ABI = ABI::V2;
/// Truncating, connecting and ioctl on devices are held where the kernel can.
const BEST: ABI = ABI::V5;

/// Why there is none.
const NONE: &str = "this kernel has no Landlock, has it switched off (/sys/kernel/security/lsm names it where it is on), or is older than 5.19";

pub(super) fn restrict(places: &Places) -> Result<Confined, ConfineError> {
    match enforce(places) {
        Ok(RulesetStatus::FullyEnforced) => Ok(Confined::Wholly),
        Ok(RulesetStatus::PartiallyEnforced) => Ok(Confined::Partly),
        Ok(RulesetStatus::NotEnforced) | Err(RulesetError::HandleAccesses(_)) => Ok(Confined::No(NONE)),
        Err(error) => Err(ConfineError::Refused(error.to_string())),
    }
}

fn enforce(places: &Places) -> Result<RulesetStatus, RulesetError> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(LEAST))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(BEST))?
        .handle_access(AccessNet::ConnectTcp)?
        .create()?;
    rules = allow(rules, &places.read, READ)?;
    rules = allow(rules, &places.write, WRITE)?;
    rules = allow(rules, &places.remove, AccessFs::RemoveDir.into())?;
    // Without a rule nothing is connected to.
    if let Some(port) = places.connect {
        rules = rules.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
    }
    Ok(rules.restrict_self()?.ruleset)
}

fn allow(
    mut rules: RulesetCreated,
    places: &[PathBuf],
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    for place in places {
        let opened = match PathFd::new(place) {
            Ok(opened) => opened,
            Err(error) => {
                tracing::debug!("{} is left out of the confinement: {error}", place.display());
                continue;
            }
        };
        let access = if place.is_dir() { access } else { access & OF_FILES };
        if !access.is_empty() {
            rules = rules.add_rule(PathBeneath::new(opened, access))?;
        }
    }
    Ok(rules)
}
